"""Members counted by the values of a column, be it their own or that of an account behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.listed import Scan

_WIDTH = 24
_SHOWN = 12


@dataclass(frozen=True)
class Breakdown:
    """Members by value.

    Parameters
    ----------
    column
        What they are counted by.
    rows
        Value and number of members, the most first; None where nothing is known. Who has several values counts for each.
    of
        How many members there are.
    is_estimate
        Whether the numbers are scaled from a sample.
    """

    column: str
    rows: tuple[tuple[str | None, int], ...]
    of: int
    is_estimate: bool = False

    def __str__(self) -> str:
        """Return a line a value, with a bar."""
        most = max((count for _, count in self.rows), default=1)
        about = "about " if self.is_estimate else ""
        lines = [
            f"  {_name(value)[:_WIDTH]:<{_WIDTH}} {about}{count:>9,} {count / max(self.of, 1):>6.1%} "
            f"{'█' * max(round(20 * count / most), 1)}"
            for value, count in self.rows[:_SHOWN]
        ]
        rest = [f"  … {len(self.rows) - _SHOWN:,} more values"] if len(self.rows) > _SHOWN else []
        return "\n".join([f"{about}{self.of:,} by {self.column}", *lines, *rest])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        most = max((count for _, count in self.rows), default=1)
        rows = "".join(
            f"<tr><td>{escape(_name(value))}</td><td style='text-align:right'>{count:,}</td>"
            f"<td style='text-align:right'>{count / max(self.of, 1):.1%}</td><td style='text-align:left'><span style='display:inline-block;"
            f"height:.8em;background:#2f7fc1;width:{max(round(160 * count / most), 1)}px'></span></td></tr>"
            for value, count in self.rows[:_SHOWN]
        )
        rest = f"<p>… {len(self.rows) - _SHOWN:,} more values</p>" if len(self.rows) > _SHOWN else ""
        head = f"<tr><th>{escape(self.column)}</th><th>{'about' if self.is_estimate else 'members'}</th><th></th></tr>"
        return f"<table>{head}{rows}</table>{rest}"


def values_of(members: Frame, entity: str, column: str, scan: Scan, model: Model) -> Frame:
    """Return the values of a column for each member.

    Parameters
    ----------
    members
        One row per member: ``profile_id``.
    entity
        What they are.
    column
        Column or path of the entity, after the names of relations where it is another's: ``accounts.industry``.
    scan
        Gives ``profiles/<name>``.
    model
        Entities, fields and relations.

    Returns
    -------
    Frame
        One row per member and value: ``profile_id``, ``value``; null where there is none.

    Raises
    ------
    UnknownNameError
        If there is no such column; with the nearest names.
    """
    rows = members.select("profile_id", _at=nw.col("profile_id"))
    here, names = entity, column.split(".")
    while names[0] in model.entity(here).relations:
        rows, here, names = (
            _step(rows, here, names[0], scan, model),
            model.entity(here).relations[names[0]].to,
            names[1:],
        )
        if not names:
            raise UnknownNameError(f"column of {here}", column, model.entity(here).fields)
    field = model.entity(here).field(".".join(names))
    values = scan(here).select(_id=nw.col("profile_id"), value=nw.col(field.name).cast(nw.String))
    return rows.join(values, left_on="_at", right_on="_id", how="left").select("profile_id", "value").unique()


def counted(rows: Sequence[tuple[str | None, int]], scale: float) -> tuple[tuple[str | None, int], ...]:
    """Return values with their counts in the order in which they are shown.

    Parameters
    ----------
    rows
        Value and count.
    scale
        How many profiles each of them stands for.

    Returns
    -------
    tuple
        The most first.
    """
    scaled = [(value, round(count * scale)) for value, count in rows]
    return tuple(sorted(scaled, key=lambda row: (-row[1], row[0] or "")))


def _step(rows: Frame, entity: str, name: str, scan: Scan, model: Model) -> Frame:
    relation = model.entity(entity).relations[name]
    if relation.through is not None:
        pairs = scan(relation.through).select(_near=nw.col(relation.near), _next=nw.col(relation.far))
    elif relation.many:
        pairs = scan(relation.to).select(_near=nw.col(relation.far), _next=nw.col("profile_id"))
    else:
        pairs = scan(entity).select(_near=nw.col("profile_id"), _next=nw.col(relation.near))
    return rows.join(pairs, left_on="_at", right_on="_near", how="left").select("profile_id", _at=nw.col("_next"))


def _name(value: str | None) -> str:
    return "(unknown)" if value is None else value
