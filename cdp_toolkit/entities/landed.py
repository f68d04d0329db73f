"""A landed object as a mapping sees it: its values by the mapping's words, whatever shape they came in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.engine import JsonPath
from cdp_toolkit.entities.columns import Columns, template_parts
from cdp_toolkit.entities.mapping import Conditions, SourceMapping, Value
from cdp_toolkit.model.types import clean, text

ORIGIN = ("_file", "_line", "_batch", "_loaded_at")


@dataclass(frozen=True)
class LandedSource:
    """A source with what it has landed.

    Parameters
    ----------
    name
        Name in ``cdp.yaml`` and below ``landing/``.
    system
        The vendor's name, as it stands in record keys.
    instance
        Which installation of the system it is.
    mapping
        How its objects become entities.
    crm_system, crm_instance
        The CRM that the system is synced with, if any.
    objects
        Objects that have landed.
    """

    name: str
    system: str
    instance: str
    mapping: SourceMapping
    crm_system: str | None = None
    crm_instance: str | None = None
    objects: tuple[str, ...] = ()

    def suffix(self, value: Value) -> str | None:
        """Return what makes a key of this source, or of its CRM, out of a bare id.

        Parameters
        ----------
        value
            Where the id comes from.

        Returns
        -------
        str or None
            ``@instance.type``; None where the CRM is meant and none is known.
        """
        if value.system == "crm":
            return f"@{self.crm_instance}.{self.crm_system}" if self.crm_system and self.crm_instance else None
        return f"@{self.instance}.{self.system}"


@dataclass(frozen=True)
class Landed:
    """A landed object whose values stand in columns named by the mapping's words.

    Parameters
    ----------
    source
        Source that it belongs to.
    name
        Name of the object.
    frame
        One row per delivered row.
    columns
        Columns as delivered.
    """

    source: LandedSource
    name: str
    frame: Frame
    columns: Columns

    def with_values(
        self, words: Iterable[str], lookups: dict[str, Frame], engine: Engine
    ) -> tuple[Frame, dict[str, str]]:
        """Find the values that a mapping speaks of.

        Parameters
        ----------
        words
            Columns, paths and lookups as the mapping says them.
        lookups
            For each looked-up column its values: ``key`` and the column itself.
        engine
            Takes values out of JSON.

        Returns
        -------
        frame
            One row per delivered row: where it stood, and a trimmed text column for each word that can be found.
        known
            The column of each word. Words that differ by case only are columns that differ by more, as SQL asks.
        """
        asked = dict.fromkeys(words)
        keys = [self.source.mapping.lookups[word].of for word in asked if word in lookups]
        found = {word: place for word in dict.fromkeys([*asked, *keys]) if (place := self.columns.find(word))}
        known = {word: f"word{i}" for i, word in enumerate(found)}
        inside = {f"json:{known[word]}": (column, json_path(path)) for word, (column, path) in found.items() if path}
        frame = engine.json(self.frame, inside) if inside else self.frame
        values = {
            known[word]: text(nw.col(f"json:{known[word]}" if path else column), self.source.mapping.nulls)
            for word, (column, path) in found.items()
        }
        frame = frame.select(*ORIGIN, **values)
        for word in asked:
            of = self.source.mapping.lookups[word].of if word in lookups else None
            if of in known:
                frame = engine.look_up(frame, lookups[word], on=known[of], by="key")
                known[word] = word
        return frame, known

    def label(self, value: Value) -> str:
        """Return the delivered column that a value mainly comes from.

        Parameters
        ----------
        value
            A value of the mapping.

        Returns
        -------
        str
            Name as delivered, or as the mapping says it.
        """
        words = [part for source in value.sources for part in template_parts(source) or [source]]
        found = next((word for word in words if self.columns.find(word)), words[0] if words else "")
        column, path = self.columns.find(found) or (found, "")
        return column + path


def json_path(path: str) -> JsonPath:
    """Turn the rest of a path into steps.

    Parameters
    ----------
    path
        Such as ``.Webpage URL``, ``[].id`` or ``[0].id``.

    Returns
    -------
    tuple
        Names, places, and None for each element.

    Examples
    --------
    >>> json_path(".Webpage URL"), json_path("[].id"), json_path("[0].id")
    (('Webpage URL',), (None, 'id'), (0, 'id'))
    """
    steps: list[str | int | None] = []
    for part in path.replace("[", ".[").strip(".").split("."):
        place = part.strip("[]")
        steps.append(part if not part.startswith("[") else int(place) if place else None)
    return tuple(steps)


def raw_value(value: Value, known: Mapping[str, str]) -> nw.Expr:
    """Return the text of a value before it is judged.

    Parameters
    ----------
    value
        A value of the mapping.
    known
        Column of each word of the mapping that can be found.

    Returns
    -------
    narwhals.Expr
        Trimmed text, or null.
    """
    if value.const is not None:
        raw = nw.lit(value.const)
    else:
        texts = [each for source in value.sources if (each := _source(source, known)) is not None]
        raw = nw.coalesce(*texts) if texts else nw.lit(None, dtype=nw.String)
    return nw.when(holds(value.when, known)).then(raw) if value.when else raw


def mapped_value(value: Value, raw: nw.Expr) -> nw.Expr:
    """Return what a text stands for.

    Parameters
    ----------
    value
        A value of the mapping.
    raw
        Its text.

    Returns
    -------
    narwhals.Expr
        The text that the mapping's ``values`` name, or the text itself.
    """
    judged = clean(raw, value.kind) if value.kind else raw
    mapped = judged
    for given, meant in value.values.items():
        is_given = judged.str.to_lowercase() == given.lower()
        mapped = nw.when(is_given).then(nw.lit(meant, dtype=nw.String)).otherwise(mapped)
    return mapped


def holds(conditions: Conditions, known: Mapping[str, str]) -> nw.Expr:
    """Return whether a row fulfils all conditions.

    Parameters
    ----------
    conditions
        Conditions of the mapping; an empty value is neither true nor any text.
    known
        Column of each word of the mapping that can be found.

    Returns
    -------
    narwhals.Expr
        True or false, never null.
    """
    checks = [_holds(known[column], wanted) for column, wanted in conditions.items() if column in known]
    missing = any(wanted is not False for column, wanted in conditions.items() if column not in known)
    return nw.all_horizontal(nw.lit(not missing), *checks, ignore_nulls=False)


def _holds(column: str, wanted: bool | tuple[str, ...]) -> nw.Expr:  # noqa: FBT001 - a condition as the mapping says it
    if isinstance(wanted, bool):
        is_true = (clean(nw.col(column), "boolean") == "true").fill_null(False)
        return is_true if wanted else ~is_true
    return nw.col(column).str.to_lowercase().is_in([each.lower() for each in wanted]).fill_null(False)


def _source(source: str, known: Mapping[str, str]) -> nw.Expr | None:
    parts = template_parts(source)
    if not parts:
        return nw.col(known[source]) if source in known else None
    if not known.keys() >= set(parts):
        return None
    pieces: list[nw.Expr] = []
    for i, piece in enumerate(source.replace("}", "{").split("{")):
        if piece:
            pieces.append(nw.col(known[piece]) if i % 2 else nw.lit(piece))
    return nw.concat_str(pieces)
