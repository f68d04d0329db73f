"""Records whose identities contradict each other, put together again link by link.

Links are tried from the strongest namespace to the weakest, within one from the value seen last; an identity belongs to
the group of the record that carried it last. The order is one of values alone, so the order of rows does not matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cdp_toolkit.identity.definition import IdentityRules

Row = Mapping[str, Any]
_Scope = tuple[str, str]
_Values = Mapping[_Scope, set[str]]


class Rebuilt(NamedTuple):
    """Links that contradict nothing, and those that would."""

    kept: list[dict[str, Any]]
    refused: list[dict[str, Any]]


def rebuild(carried: Iterable[Row], claims: Iterable[Row], rules: IdentityRules) -> Rebuilt:
    """Link records one by one, refusing each link that would break a unique rule.

    Parameters
    ----------
    carried
        One row per record and identity that may link: ``entity``, ``source_key``, ``record_key``, ``namespace``,
        ``value``, ``seen_at``.
    claims
        One row per record and value that is to be unique: ``record_key``, ``namespace``, ``instance`` (empty where the
        value is unique to the profile), ``value``.
    rules
        Priorities and unique namespaces.

    Returns
    -------
    Rebuilt
        ``kept`` as ``identity/links``, ``refused`` as ``identity/refused_links``.
    """
    groups = _Groups(claims, rules)
    kept, refused = [], []
    for (priority, namespace), rows in _in_order(carried, rules):
        owner = rows[0]
        for row in rows[1:]:
            said = {name: row[name] for name in ("entity", "source_key")} | {
                "namespace": namespace,
                "value": row["value"],
            }
            if clash := groups.join(owner["record_key"], row["record_key"], priority):
                refused.append(said | {"reason": clash})
            else:
                kept.append(said | {"record_key": row["record_key"], "hub_key": owner["record_key"]})
    return Rebuilt(kept, refused)


def _in_order(carried: Iterable[Row], rules: IdentityRules) -> list[tuple[tuple[int, str], list[Row]]]:
    """Return the records of each identity, last seen first; strong identities before weak ones."""
    identities: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in carried:
        identities[row["namespace"], row["value"]].append(row)
    for rows in identities.values():
        rows.sort(key=lambda row: row["source_key"])
        rows.sort(key=lambda row: row["seen_at"], reverse=True)
    ordered = sorted(identities.items())
    ordered.sort(key=lambda each: each[1][0]["seen_at"], reverse=True)
    ordered.sort(key=lambda each: rules.namespace(each[0][0]).priority)
    return [((rules.namespace(name).priority, name), rows) for (name, _), rows in ordered]


class _Groups:
    """Records joined so far, and the unique values of each group."""

    def __init__(self, claims: Iterable[Row], rules: IdentityRules) -> None:
        self._rules = rules
        self._parents: dict[int, int] = {}
        self._values: dict[int, dict[_Scope, set[str]]] = defaultdict(lambda: defaultdict(set))
        for claim in claims:
            self._values[claim["record_key"]][claim["namespace"], claim["instance"]].add(claim["value"])

    def join(self, one: int, other: int, priority: int) -> str | None:
        """Join the groups of two records; where that breaks a rule, leave them and say which."""
        roots = sorted({self._root(one), self._root(other)})
        if len(roots) == 1:
            return None
        clash = self._clash(self._values[roots[0]], self._values[roots[1]], priority)
        if clash is None:
            self._parents[roots[1]] = roots[0]
            for scope, values in self._values.pop(roots[1]).items():
                self._values[roots[0]][scope] |= values
        return clash

    def _root(self, record: int) -> int:
        path = []
        while (above := self._parents.get(record, record)) != record:
            path.append(record)
            record = above
        self._parents |= dict.fromkeys(path, record)
        return record

    def _clash(self, ours: _Values, theirs: _Values, priority: int) -> str | None:
        for scope in sorted(ours.keys() & theirs.keys()):
            is_weaker = self._rules.namespace(scope[0]).priority < priority
            # What a stronger namespace has put together is one, so a group may know more values than the other.
            if is_weaker and (ours[scope] - theirs[scope]) and (theirs[scope] - ours[scope]):
                return _reason(scope[0], [ours[scope] - theirs[scope], theirs[scope] - ours[scope]])
        return None


def _reason(namespace: str, values: Sequence[set[str]]) -> str:
    one, other = sorted(min(each) for each in values)
    return f"would join {namespace} {one} and {other}"
