"""An audience while it is built, without a view: what a person does comes in, what is to be seen comes out."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cdp_toolkit.errors import CdpError, ConfigError, UnknownNameError
from cdp_toolkit.explore.explorer import facets
from cdp_toolkit.explore.explorer.draft import Draft
from cdp_toolkit.explore.explorer.ground import Ground, Seen
from cdp_toolkit.explore.explorer.sight import sight_at
from cdp_toolkit.explore.explorer.vocabulary import vocabulary
from cdp_toolkit.segments.count import Counted
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.workspace import Workspace
from cdp_toolkit.workspace.moments import Moment, moment_of
from cdp_toolkit.workspace.waiting import waiting

_EVERYBODY = "true"


class Building:
    """An audience that is being built, with what it would be. Its text is its whole state.

    Parameters
    ----------
    ws
        The workspace.
    segment
        Name of a segment to begin with.
    entity
        ``person`` or ``account``, where no segment is given.
    pql
        A rule to begin with, where no segment is given.
    as_of
        What ``now`` means: a time, or a text such as ``2026-11-01``; the present by default.
    """

    def __init__(
        self,
        ws: Workspace,
        segment: str | Segment = "",
        *,
        entity: str = "person",
        pql: str = "",
        as_of: Moment = None,
    ) -> None:
        self.ws = ws
        self.as_of = moment_of(as_of, ws.settings.timezone)
        self.draft = Draft(ws.model, self._known(segment), entity=entity, pql=pql)
        self.chosen: dict[str, list[str]] = {}
        self.seen: Seen | None = None
        self.exact: int | None = None
        self.notice = ""
        self.problem = ""
        self._grounds: dict[str, Ground] = {}
        self.look()

    def _known(self, segment: str | Segment) -> Segment | None:
        if isinstance(segment, Segment) or not segment:
            return segment or None
        known = self.ws.segments
        if segment not in known:
            raise UnknownNameError("segment", segment, known)
        return known[segment]

    # What it is

    @property
    def pql(self) -> str:
        """The rule, as text."""
        return self.draft.text

    @property
    def segment(self) -> Segment:
        """The audience as it would be saved."""
        return self.draft.segment()

    @property
    def ground(self) -> Ground:
        """The profiles that are looked at."""
        entity = self.draft.entity
        if entity not in self._grounds:
            ground = Ground(self.ws, entity, self.as_of)
            with waiting("Opening") as says:
                ground.open(says)
            self._grounds[entity] = ground
        return self._grounds[entity]

    @property
    def vocabulary(self) -> dict[str, Any]:
        """What rows may be made of."""
        return vocabulary(self.ws.model, self.ground.segments.values())

    @property
    def state(self) -> dict[str, Any]:
        """The rule as a view draws it."""
        draft = self.draft
        return {
            "rows": draft.rows, "text": draft.text, "error": str(draft.error or self.problem), "name": draft.name,
            "description": draft.about.get("description", ""), "entity": draft.entity, "notice": self.notice,
        }  # fmt: skip

    @property
    def sight(self) -> dict[str, Any]:
        """What is to be seen of the audience, as a view draws it."""
        return {} if self.seen is None else vars(self.seen) | {"exact": self.exact}

    # What is done

    def do(self, message: Mapping[str, Any]) -> bool:
        """Do what a person asks for.

        Parameters
        ----------
        message
            ``do`` and what belongs to it: an edit of rows, ``type``, ``undo``, ``turn``, ``about``, ``filter``, ``keep``,
            ``save`` or ``open``.

        Returns
        -------
        bool
            Whether the audience may be another one, so that it should be looked at.
        """
        self.notice = ""
        action = _ACTIONS.get(message["do"])
        before = self._asked
        if action is None:
            self.draft.edit(message)
        else:
            action(self, message)
        return bool(before != self._asked)

    @property
    def _asked(self) -> Any:
        return self.draft.text, self.draft.entity, {path: tuple(some) for path, some in self.chosen.items() if some}

    def look(self) -> None:
        """Estimate the audience as it stands; leaves what was seen before where the rule is wrong."""
        self.exact, self.problem = None, ""
        if self.draft.error is not None:
            return
        try:
            self.seen = self.ground.look(self._counted, self.chosen)
            self.exact = self.seen.count if self.seen.interval is None else None
        except self.refusals as error:
            self.problem = str(error)

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """What a rule that cannot be evaluated raises."""
        return (CdpError, *self.ws.lake.engine.errors)

    def counting(self, is_wanted: Callable[[], bool] = lambda: True) -> Generator[Counted]:
        """Count the audience as it stands now, whatever it becomes meanwhile.

        Parameters
        ----------
        is_wanted
            Whether anybody waits for the answer; the count ends where it says no.

        Returns
        -------
        Generator of Counted
            How far the count has come, bucket by bucket.
        """
        return self.ground.counting(self._counted, is_wanted)

    def count(self) -> int:
        """Count the audience exactly; a count that takes longer shows how far it has come, and may be interrupted.

        Returns
        -------
        int
            Members now.
        """
        ended = None
        with waiting("Counting exactly") as says:
            for ended in self.counting():
                says(f"Counting exactly: {ended.looked_at / max(self.ground.sample.total, 1):.0%}")
        self.exact = ended.members if ended else 0
        return self.exact

    @property
    def _counted(self) -> Segment:
        about = {
            name: value for name, value in self.draft.about.items() if name in {"include", "exclude", "merge_policy"}
        }
        rule = _EVERYBODY if self.draft.is_empty else self.draft.text
        name = self.draft.name if self.draft.name in self.ground.segments else "draft"
        return Segment(name=name, entity=self.draft.entity, pql=rule, **about)

    def suggest(self, at: list[int], typed: str = "") -> list[str]:
        """Return values for a condition.

        Parameters
        ----------
        at
            Address of the condition.
        typed
            What was typed so far.

        Returns
        -------
        list of str
            Values that the field has, the most frequent first.
        """
        from cdp_toolkit.explore.explorer import parts as p

        part = p.part_at(self.draft.root, tuple(at))
        found = (
            sight_at(self.draft.root, tuple(at), self.draft.sight).read(part.left)
            if isinstance(part, p.Comparison)
            else None
        )
        return self.ground.suggest(found.entity, found.field.name, typed) if found else []

    def save(self, name: str = "") -> Path:
        """Write the audience into its file.

        Parameters
        ----------
        name
            Its name; the one it has by default.

        Returns
        -------
        Path
            ``segments/<name>.yaml``.

        Raises
        ------
        ConfigError
            If its name or its rule is missing or wrong.
        """
        self.draft.name = name or self.draft.name
        if self.problem:
            raise ConfigError(self.problem, hint="A rule that cannot be evaluated is not saved.")
        file = self.ws.save(self.segment)
        self.ground.segments = self.ws.segments
        return file

    def composition(self) -> pl.DataFrame:
        """Return what the audience is made of.

        Returns
        -------
        polars.DataFrame
            One row per ``facet`` and ``value``: ``members``, with the filters that are set.
        """
        rows = [
            (facet["label"], row["value"] or "(unknown)", row["count"])
            for facet in (self.seen.facets if self.seen else [])
            for row in facet["rows"]
        ]
        return pl.DataFrame(rows, schema={"facet": pl.String, "value": pl.String, "members": pl.Int64}, orient="row")

    def _type(self, message: Mapping[str, Any]) -> None:
        self.draft.type(message["text"])

    def _turn(self, message: Mapping[str, Any]) -> None:
        self.chosen = {}
        self.draft.turn(message["entity"])

    def _about(self, message: Mapping[str, Any]) -> None:
        self.draft.name = message.get("name", self.draft.name).strip()
        if "description" in message:
            self.draft.about["description"] = message["description"]

    def _filter(self, message: Mapping[str, Any]) -> None:
        path, value = message["path"], message["value"]
        before = self.chosen.get(path, [])
        self.chosen[path] = [each for each in before if each != value] if value in before else [*before, value]

    def _keep(self, _: Mapping[str, Any]) -> None:
        """Make the filters a part of the rule."""
        known = {facet.path: facet for facet in facets.FACETS[self.draft.entity]}
        asked = [
            facets.asked(known[path], some, self.draft.entity, self.ws.model)
            for path, some in self.chosen.items()
            if some
        ]
        rule = [f"({self.draft.text}\n)"] if not self.draft.is_empty else []  # which may end in a comment
        self.chosen = {}
        self.draft.type("\nand ".join([*rule, *asked]))
        self.draft.tidy()

    def _open(self, message: Mapping[str, Any]) -> None:
        self.chosen = {}
        self.draft = Draft(self.ws.model, self._known(message["name"]), entity=self.draft.entity)

    def _save(self, _: Mapping[str, Any]) -> None:
        try:
            self.notice = f"Saved segments/{self.save().name}"
        except CdpError as error:
            self.notice = f"Not saved. {error.message} {error.hint}".strip()


_ACTIONS: dict[str, Callable[[Building, Mapping[str, Any]], None]] = {
    "type": Building._type,  # noqa: SLF001 - of its own class
    "undo": lambda building, _: building.draft.undo(),
    "turn": Building._turn,  # noqa: SLF001
    "about": Building._about,  # noqa: SLF001
    "filter": Building._filter,  # noqa: SLF001
    "keep": Building._keep,  # noqa: SLF001
    "open": Building._open,  # noqa: SLF001
    "save": Building._save,  # noqa: SLF001
}
