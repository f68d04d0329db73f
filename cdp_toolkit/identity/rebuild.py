"""Parts of components whose identities contradict each other, put together again value by value.

Values are tried from the strongest namespace to the weakest, within one from the value seen last; a value belongs to the
part that was seen with it last. The order is one of keys and times alone, so the order of rows does not matter. Each
step costs no more than the smaller of the two sides, so a component of many thousand parts harms nobody.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import pyarrow as pa

from cdp_toolkit.identity.definition import IdentityRules

_Scope = tuple[str, str]
_ORDER = (("priority", "ascending"), ("last_seen_at", "descending"), ("value_key", "ascending"),
          ("seen_at", "descending"), ("part", "ascending"))  # fmt: skip
_REFUSED = pa.schema({"value_key": pa.int64(), "part": pa.int64(), "reason": pa.string()})
_JOINED = pa.schema({"part": pa.int64(), "component": pa.int64()})


class Rebuilt(NamedTuple):
    """Values that a part may not be linked by, with the reason, and the component that each joined part is in."""

    refused: pa.Table
    joined: pa.Table


def rebuild(carried: pa.Table, claims: pa.Table, rules: IdentityRules) -> Rebuilt:
    """Join parts value by value, refusing each link that would break a unique rule.

    Parameters
    ----------
    carried
        One row per value and part that carries it: ``value_key``, ``part``, its ``priority``, ``seen_at`` and when any
        part was seen with it last, ``last_seen_at``.
    claims
        One row per part and value that is to be unique: ``part``, ``namespace``, ``value_key`` and the ``scope`` in
        which the value is to be the only one.
    rules
        Priorities of the unique namespaces.

    Returns
    -------
    Rebuilt
        ``refused`` has ``value_key``, ``part`` and ``reason``; ``joined`` has ``part`` and the smallest part of its
        ``component``.
    """
    groups = _Groups(claims, rules)
    refused = [
        (value, part, clash)
        for value, priority, owner, part in _in_order(carried)
        if (clash := groups.join(owner, part, priority))
    ]
    return Rebuilt(_table(refused, _REFUSED), _table(groups.joined(), _JOINED))


def _in_order(carried: pa.Table) -> Iterator[tuple[int, int, int, int]]:
    """Return value and priority, the part that owns the value, and each other part."""
    ordered = carried.sort_by(list(_ORDER))
    rows = zip(*(ordered[name].to_pylist() for name in ("value_key", "priority", "part")), strict=True)
    for (value, priority), carriers in groupby(rows, key=itemgetter(0, 1)):
        owner, *others = (part for *_, part in carriers)
        yield from ((value, priority, owner, part) for part in others)


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    return pa.table([[row[place] for row in rows] for place in range(len(schema))], schema=schema)


class _Groups:
    """Parts joined so far, and the unique values of each group."""

    def __init__(self, claims: pa.Table, rules: IdentityRules) -> None:
        self._above: dict[int, int] = {}
        self._first: dict[int, int] = {}
        self._said: dict[int, dict[_Scope, set[int]]] = {}
        columns = (claims[name].to_pylist() for name in ("part", "namespace", "scope", "value_key"))
        for part, namespace, scope, value in zip(*columns, strict=True):
            self._said.setdefault(part, defaultdict(set))[namespace, scope].add(value)
        self._priority = {name: rules.namespace(name).priority for name in set(claims["namespace"].to_pylist())}

    def join(self, one: int, other: int, priority: int) -> str | None:
        """Join the groups of two parts; where that breaks a rule, leave them and say which."""
        large, small = self._root(one), self._root(other)
        if large == small:
            return None
        ours, theirs = self._said.get(large, {}), self._said.get(small, {})
        if clash := self._clash(ours, theirs, priority):
            return clash
        if sum(map(len, ours.values())) < sum(map(len, theirs.values())):
            large, small, ours, theirs = small, large, theirs, ours
        self._above[small] = large
        self._first[large] = min(self._first.get(large, large), self._first.get(small, small))
        for scope, values in theirs.items():
            ours[scope] |= values
        self._said.pop(small, None)
        return None

    def joined(self) -> list[tuple[int, int]]:
        """Return each part that was joined to others, and the smallest of its group."""
        roots = {part: self._root(part) for part in {*self._above, *self._above.values()}}
        return [(part, self._first[root]) for part, root in roots.items()]

    def _root(self, part: int) -> int:
        path = []
        while (above := self._above.get(part, part)) != part:
            path.append(part)
            part = above
        self._above |= dict.fromkeys(path, part)
        return part

    def _clash(self, ours: dict[_Scope, set[int]], theirs: dict[_Scope, set[int]], priority: int) -> str | None:
        fewer, more = sorted((ours, theirs), key=len)
        for scope in sorted(fewer.keys() & more.keys()):
            # What a stronger namespace has put together is one, so a group may know more values than the other.
            small, large = sorted((ours[scope], theirs[scope]), key=len)
            if self._priority[scope[0]] < priority and not small <= large:
                return _reason(scope[0])
        return None


def _reason(namespace: str) -> str:
    # The values are personal and stay out of it: they are with the records that carry them.
    return "would join what was judged apart" if namespace == "judged_apart" else f"would join two {namespace}s"
