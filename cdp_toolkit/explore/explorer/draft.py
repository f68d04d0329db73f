"""The audience that is being built: one text, and the rows that show it.

The text is the truth. Rows are read from it; what they change is written into it. Only rows that wait for a value are
in the rows alone.
"""

from typing import Any

from pydantic import ValidationError

from cdp_toolkit.errors import ConfigError, PqlError
from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.edits import Edit, edited, flattened
from cdp_toolkit.explore.explorer.read import read
from cdp_toolkit.explore.explorer.remarks import attach, insert
from cdp_toolkit.explore.explorer.shown import shown
from cdp_toolkit.explore.explorer.sight import Row, Sight
from cdp_toolkit.explore.explorer.write import write, written
from cdp_toolkit.model import Model
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.pql.comments import without
from cdp_toolkit.segments.pql.parse import parse


class Draft:
    """A segment while it is made.

    Parameters
    ----------
    model
        Entities, fields and relations.
    segment
        A segment to begin with.
    entity
        What the members are, where no segment is given.
    pql
        The rule, where no segment is given.
    """

    def __init__(self, model: Model, segment: Segment | None = None, *, entity: str = "person", pql: str = "") -> None:
        self.model = model
        self.about: dict[str, Any] = segment.model_dump(exclude={"pql", "name", "entity"}) if segment else {}
        self.name = segment.name if segment else ""
        self.entity = segment.entity if segment else entity
        self.root = p.Group()
        self.text = ""
        self.error: PqlError | None = None
        self._before: list[str] = []
        self.type(segment.pql.strip() if segment else pql)
        self._before.clear()

    @property
    def sight(self) -> Sight:
        """What the whole rule can see."""
        return Sight(self.model, (Row(self.entity),))

    @property
    def rows(self) -> dict[str, Any]:
        """The rule as a view draws it."""
        return shown(self.root, self.sight)

    @property
    def is_empty(self) -> bool:
        """Whether the text says nothing, but for comments."""
        return not without(self.text).strip()

    def type(self, text: str) -> None:
        """Take a text over, and read the rows from it.

        Parameters
        ----------
        text
            A rule in the Profile Query Language, whole or half typed; the rows stay as they are where it is wrong.
        """
        self._remember()
        self.text, self.error = text, None
        try:
            self.root = p.Group() if self.is_empty else read(parse(text), self.sight)
            self.root = attach(self.root, text)
        except PqlError as error:
            self.error = error

    def edit(self, edit: Edit) -> None:
        """Change the rows, and write the text from them.

        Parameters
        ----------
        edit
            As ``edits.edited`` takes it.
        """
        self.root = edited(self.root, edit, self.sight)
        text = self._written()
        if text != self.text:
            self._remember()
        self.text, self.error = text, None

    def tidy(self) -> None:
        """Write the text as the rows would, with groups in groups of one kind made one."""
        self.root = flattened(self.root)
        self.text = self._written() if self.error is None else self.text

    def _written(self) -> str:
        return insert(written(write(self.root)), self.root, self.sight)

    def turn(self, entity: str) -> None:
        """Ask about people instead of accounts, or the other way round, with an empty rule.

        Parameters
        ----------
        entity
            ``person`` or ``account``.
        """
        self.entity = entity
        self.type("")

    def undo(self) -> None:
        """Take the text back to what it was before the last change."""
        if self._before:
            self.type(self._before.pop())
            self._before.pop()

    def segment(self) -> Segment:
        """Return the audience as it stands.

        Returns
        -------
        Segment
            As it would be saved.

        Raises
        ------
        ConfigError
            If its name or its rule is missing or wrong.
        """
        if self.error is not None:
            raise self.error
        try:
            return Segment(name=self.name, entity=self.entity, pql=self.text, **self.about)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "pql"
            hint = "A name has small letters, digits and _, such as `finance_buyers`." if where == "name" else ""
            raise ConfigError(f"{first['msg']}.", where=where, hint=hint) from error

    def _remember(self) -> None:
        self._before = [*self._before[-49:], self.text]
