"""How two versions of a table differ, told by their copies without reading rows.

A copy has a print of each key, a hash of all its rows, and a hash of each column.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from cdp_toolkit.engines.prints import Prints, added, total
from cdp_toolkit.engines.stretches import ABOUT, Copy, Ids, mapped, take

_SMALLEST = -(2**63)
_NOBODY = np.empty(0, np.int64)
_FEW = 20_000  # keys that came or went, whose rows are read to take them off the hashes of columns
_Range = tuple[int, int | None, str]
_Keys = tuple[Ids, Ids]


@dataclass(frozen=True)
class Difference:
    """How two versions of a table differ.

    Parameters
    ----------
    keys
        The keys whose rows are others in one than in the other, in order, with those that only one version has.
    lone
        Those of them that only one version has.
    columns
        The columns in which the rows of others may differ.
    """

    keys: Ids = field(default_factory=_NOBODY.copy)
    lone: Ids = field(default_factory=_NOBODY.copy)
    columns: frozenset[str] = frozenset()


def differing(before: Copy, now: Copy) -> Difference | None:
    """Compare two versions of a table.

    Parameters
    ----------
    before, now
        Where to look.

    Returns
    -------
    Difference or None
        None where only the rows themselves can tell.
    """
    try:
        one, other = (json.loads((copy.folder / ABOUT).read_text("utf-8")) for copy in (before, now))
        if one["files"] != sorted(before.files) or other["files"] != sorted(now.files):
            return None
        if any(one.get(what) != other.get(what) for what in ("by", "columns", "prints")):
            return None
        known = {each: part for part, each in enumerate(_ranges(one))}

        def between(part: int, range_: _Range) -> _Keys:
            if range_[2] and range_ in known:
                return _reprinted(before.folder, known[range_], now.folder, part), _NOBODY
            then, since = (
                _between(copy.folder, about["firsts"], *range_[:2]) for copy, about in ((before, one), (now, other))
            )
            return _merged(then, since)

        with ThreadPoolExecutor() as threads:
            found = [*threads.map(between, count(), _ranges(other))]
        keys, lone = (
            (np.concatenate([_NOBODY, *each]) for each in zip(*found, strict=True)) if found else ([_NOBODY] * 2)
        )
        columns = _columns(before, one, now, other, lone) if len(keys) else ()
        return Difference(keys, lone, frozenset(columns))
    except OSError:  # a newer copy has taken the place of one
        return None


def _columns(before: Copy, one: Mapping[str, Any], now: Copy, other: Mapping[str, Any], lone: Ids) -> Sequence[str]:
    """Return the columns in which the rows of keys that both versions have may differ."""
    by: str = other["by"]
    names: list[str] = other["columns"]
    if "totals" not in one or "totals" not in other or len(lone) > _FEW:
        return names
    versions = ((before, one["totals"]), (now, other["totals"]))
    then, since = (_without(copy, totals, by, [by], lone) for copy, totals in versions)
    if then != since:  # further rows came or went, which are in every column
        return names
    then, since = (_without(copy, totals, by, names, lone) for copy, totals in versions)
    return [name for name in names if then[name] != since[name]]


def _without(copy: Copy, totals: Mapping[str, int], by: str, names: Sequence[str], lone: Ids) -> dict[str, int]:
    """Return hashes of columns without the rows of some keys."""
    found = {name: totals.get(name, 0) for name in names}
    if not len(lone):
        return found
    rows = take(copy, lone, [by, *(name for name in names if name != by)])
    if rows is None:
        raise FileNotFoundError(copy.folder)
    for batch in rows.to_batches():
        keys = batch[by].to_numpy()
        own = {name: total(keys, batch[name] if name != by else None) for name in names}
        found = added(found, own, sign=-1)
    return found


def _ranges(about: Mapping[str, Any]) -> list[_Range]:
    """Return from which key to before which each part reaches, and what its keys are called."""
    lows = [_SMALLEST, *about["firsts"][1:]]
    return [*zip(lows, [*lows[1:], None], about.get("keys") or [""] * len(lows), strict=True)]


def _reprinted(before: Path, known: int, now: Path, part: int) -> Ids:
    """Return whose prints differ in two parts with the same keys; the keys of the others are not read."""
    then, since = mapped(before / f"{known:05}.keys"), mapped(now / f"{part:05}.keys")
    is_other = then["print"].to_numpy() != since["print"].to_numpy()
    found: Ids = since["key"].to_numpy()[is_other]
    return found


def _between(folder: Path, firsts: Sequence[int], low: int, high: int | None) -> tuple[Ids, Prints]:
    """Return the keys from one to before another, and their prints."""
    start = max(bisect_right(firsts, low) - 1, 0)
    end = len(firsts) if high is None else bisect_left(firsts, high)
    keys, prints = [], []
    for part in range(start, end):
        about = mapped(folder / f"{part:05}.keys")
        those = about["key"].to_numpy()
        first, last = np.searchsorted(those, low), len(those) if high is None else np.searchsorted(those, high)
        keys.append(those[first:last])
        prints.append(about["print"].to_numpy()[first:last])
    if len(keys) == 1:  # as it is mapped, uncopied
        return keys[0], prints[0]
    return np.concatenate([_NOBODY, *keys]), np.concatenate([np.empty(0, np.uint64), *prints])


def _merged(one: tuple[Ids, Prints], other: tuple[Ids, Prints]) -> _Keys:
    """Return the keys whose prints differ, and those of them that only one has."""
    if np.array_equal(one[0], other[0]):
        same: Ids = one[0][one[1] != other[1]]
        return same, _NOBODY
    keys, prints = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(keys, kind="stable")  # merges two runs
    keys, prints = keys[order], prints[order]
    is_pair = (keys[1:] == keys[:-1]) & (prints[1:] == prints[:-1])
    found = keys[~(np.append(is_pair, False) | np.append(False, is_pair))]
    is_first = np.append(True, found[1:] != found[:-1])[: len(found)]
    is_last = np.append(found[1:] != found[:-1], True)[: len(found)]
    return found[is_first], found[is_first & is_last]
