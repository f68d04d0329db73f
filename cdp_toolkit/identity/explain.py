"""Why records are one: the records of a profile, the links between them, and the links that were refused."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import UnknownNameError

_DELETED = " (deleted)"


@dataclass(frozen=True)
class IdentityExplanation:
    """The records of one profile and what ties them together.

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
    """

    profile_id: int
    records: list[str]
    links: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        """Return one line per record, link and refused link."""
        lines = [f"Profile {self.profile_id} is {len(self.records)} records:"]
        lines += [f"  {record}" for record in self.records]
        lines += [
            f"  {link['source_key']} = {link['hub']}: same {link['namespace']} {link['value']}" for link in self.links
        ]
        lines += [
            f"  {link['source_key']} is not linked by {link['namespace']} {link['value']}: {link['reason']}"
            for link in self.refused
        ]
        return "\n".join(lines)

    __repr__ = __str__

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
        links = [[each[name] for name in ("source_key", "hub", "namespace", "value")] for each in self.links]
        refused = [[each[name] for name in ("source_key", "namespace", "value", "reason")] for each in self.refused]
        return (
            f"<b>Profile {self.profile_id} is {len(self.records)} records</b>{records}"
            + (_table(["record", "is the same as", "by", "value"], links) if links else "")
            + (_table(["record", "not linked by", "value", "reason"], refused) if refused else "")
        )


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def explain(profile_id: int, ids: Frame, links: Frame, refused: Frame, engine: Engine) -> IdentityExplanation:
    """Say why the records of a profile are one.

    Parameters
    ----------
    profile_id
        The profile.
    ids
        One row per record: ``source_key``, ``record_key``, ``profile_id``, ``is_deleted``.
    links, refused
        Links between records of the same entity, and those refused.
    engine
        Reads the rows.

    Returns
    -------
    IdentityExplanation
        Records, links and refused links of this profile alone.
    """
    own = ids.filter(nw.col("profile_id") == profile_id)
    records = sorted(engine.collect(own).to_pylist(), key=lambda record: record["source_key"])
    names = {record["record_key"]: record["source_key"] for record in records}
    keys = own.select("source_key")
    linked = engine.collect(links.join(keys, on="source_key", how="inner")).to_pylist()
    kept_out = engine.collect(refused.join(keys, on="source_key", how="inner")).to_pylist()
    return IdentityExplanation(
        profile_id,
        [record["source_key"] + (_DELETED if record["is_deleted"] else "") for record in records],
        [link | {"hub": names.get(link["hub_key"], "a record that is gone")} for link in linked],
        kept_out,
    )
