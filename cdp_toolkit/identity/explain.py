"""Why records are one: their links, the links that were refused, and what became of the profile's id."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model.personal import mask_addresses, mask_identity

_DELETED = " (deleted)"


@dataclass(frozen=True)
class IdentityExplanation:
    """The records of one profile and what ties them together; shown masked unless ``unmasked`` is called.

    Parameters
    ----------
    profile_id
        The profile.
    records
        Source keys, deleted ones marked.
    links
        ``source_key``, ``hub`` (the record it was linked to), ``namespace``, ``value``.
    refused
        ``source_key``, ``namespace``, ``value``, ``reason``.
    aliases
        Ids that were given up and mean this profile now.
    history
        ``changed_at``, ``change`` (merged, moved, split, gone), ``profile_id``, ``other_id``, ``because``; oldest first.
    is_masked
        Whether values that say who somebody is are masked where it is shown, as text or as HTML.
    """

    profile_id: int
    records: list[str]
    links: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    aliases: list[int] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    is_masked: bool = True

    def unmasked(self) -> "IdentityExplanation":
        """Show personal data.

        Returns
        -------
        IdentityExplanation
            The same, shown whole.
        """
        return replace(self, is_masked=False)

    def __str__(self) -> str:
        """Return one line per record, link and refused link."""
        lines = [f"Profile {self.profile_id} is {len(self.records)} records:"]
        lines += [f"  {record}" for record in self.records]
        lines += [
            f"  {link['source_key']} = {link['hub']}: same {link['namespace']} {self._value(link)}"
            for link in self.links
        ]
        lines += [
            f"  {link['source_key']} is not linked by {link['namespace']} {self._value(link)}: {self._text(link['reason'])}"
            for link in self.refused
        ]
        lines += [f"  {self._text(_told(change))}" for change in self.history]
        return "\n".join(lines)

    __repr__ = __str__

    def table(self) -> pa.Table:
        """Return links and refused links as one table.

        Returns
        -------
        pyarrow.Table
            ``record``, ``other`` (the record that it is one with; null where the link was refused), ``namespace``,
            ``value``, ``refused`` (why; null for a link).
        """
        kept = [
            {"record": link["source_key"], "other": link["hub"], "namespace": link["namespace"], "value": link["value"]}
            for link in self.links
        ]
        not_kept = [
            {"record": link["source_key"], "namespace": link["namespace"], "value": link["value"],
             "refused": link["reason"]}
            for link in self.refused
        ]  # fmt: skip
        names = ("record", "other", "namespace", "value", "refused")
        return pa.Table.from_pylist([*kept, *not_kept], schema=pa.schema([(name, pa.string()) for name in names]))

    def path(self, one: str, other: str) -> list[dict[str, Any]]:
        """Return the shortest chain of links between two records.

        Parameters
        ----------
        one, other
            Source keys of records of this profile.

        Returns
        -------
        list of dict
            Links in the order of the walk, as in ``links``; empty if it is the same record.

        Raises
        ------
        UnknownNameError
            If one of them is no record of this profile.
        """
        known = [record.removesuffix(_DELETED) for record in self.records]
        for record in (one, other):
            if record not in known:
                raise UnknownNameError("record", record, known)
        walked: dict[str, list[dict[str, Any]]] = {one: []}
        front = [one]
        while other not in walked and front:
            record = front.pop(0)
            for link in self.links:
                ends = (link["source_key"], link["hub"])
                reached = ends[1 - ends.index(record)] if record in ends else record
                if reached not in walked:
                    walked[reached] = [*walked[record], link]
                    front.append(reached)
        return walked.get(other, [])

    def _repr_html_(self) -> str:
        records = _table(["record"], [[record] for record in self.records])
        links = [[each["source_key"], each["hub"], each["namespace"], self._value(each)] for each in self.links]
        refused = [
            [each["source_key"], each["namespace"], self._value(each), self._text(each["reason"])]
            for each in self.refused
        ]
        changes = [[self._text(_told(change))] for change in self.history]
        return (
            f"<b>Profile {self.profile_id} is {len(self.records)} records</b>{records}"
            + (_table(["record", "is the same as", "by", "value"], links) if links else "")
            + (_table(["record", "not linked by", "value", "reason"], refused) if refused else "")
            + (_table(["what became of it"], changes) if changes else "")
        )

    def _value(self, link: dict[str, Any]) -> str:
        value: str = link["value"]
        return mask_identity(link["namespace"], value) if self.is_masked else value

    def _text(self, told: str) -> str:
        return mask_addresses(told) if self.is_masked else told


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def _told(change: dict[str, Any]) -> str:
    one, other = change["profile_id"], change["other_id"]
    what = {
        "merged": f"{one} was merged into {other}",
        "moved": f"{one} took records over from {other}",
        "split": f"{one} was split off {other}",
        "gone": f"{one} is gone",
    }[change["change"]]
    because = f": {change['because']}" if change["because"] else ""
    return f"{change['changed_at']:%Y-%m-%d %H:%M} {what}{because}"


def explain(profile_id: int, scan: Callable[[str], Frame], entity: str, engine: Engine) -> IdentityExplanation:
    """Say why the records of a profile are one.

    Parameters
    ----------
    profile_id
        The profile.
    scan
        Gives a table of ``identity/`` for its name.
    entity
        Entity of the profile.
    engine
        Reads the rows.

    Returns
    -------
    IdentityExplanation
        Records, links, refused links and history of this profile alone.
    """
    links, refused, aliases, history = (
        scan(f"identity/{name}").filter(nw.col("entity") == entity)
        for name in ("links", "refused_links", "aliases", "history")
    )
    own = scan(f"identity/{entity}_ids").filter(nw.col("profile_id") == profile_id)
    records = sorted(engine.collect(own).to_pylist(), key=lambda record: record["source_key"])
    names = {record["record_key"]: record["source_key"] for record in records}
    keys = own.select("record_key", "source_key")
    said = scan("identity/evidence").filter(nw.col("entity") == entity).select("record_key", "value_key", "value")
    told = links.join(keys, on="record_key").join(said, on=["record_key", "value_key"])
    linked = engine.collect(told).to_pylist()
    kept_out = engine.collect(refused.join(keys.select("record_key"), on="record_key")).to_pylist()
    given_up = engine.collect(aliases.filter(nw.col("profile_id") == profile_id))["alias_id"].to_pylist()
    is_its = nw.any_horizontal(
        *(nw.col(name).is_in([profile_id, *given_up]) for name in ("profile_id", "other_id")), ignore_nulls=True
    )
    changes = engine.collect(history.filter(is_its)).to_pylist()
    return IdentityExplanation(
        profile_id,
        [record["source_key"] + (_DELETED if record["is_deleted"] else "") for record in records],
        sorted((link | {"hub": names.get(link["hub_key"], "a record that is gone")} for link in linked), key=_in_order),
        sorted(kept_out, key=_in_order),
        sorted(given_up),
        sorted(changes, key=lambda change: (change["changed_at"], change["profile_id"])),
    )


def _in_order(link: dict[str, Any]) -> tuple[str, str, str]:
    return link["source_key"], link["namespace"], link["value"]
