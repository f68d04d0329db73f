"""Whether a connector keeps its contract: plain functions to call from a connector's own tests.

They speak to the connector as the toolkit does, so its outside must be there: a server that stands in for the vendor's, or
a folder. What is broken is raised as an ``AssertionError`` whose text says what a user would lose by it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from cdp_toolkit.destinations.destination import Batch, Connection, Outcome
from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import ConnectorStopped
from cdp_toolkit.findings import look_at
from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.land import land
from cdp_toolkit.sources.source import Source

_NAME = "checked"
# What says when and where a row was read, which may differ from load to load.
_STAMPS = ("_batch", "_loaded_at", "_file", "_line")


def check_source(opened: Callable[[], Source]) -> None:
    """Hold a source to its contract.

    Reads everything, then reads again, then stops behind each of the first batches and goes on.

    Parameters
    ----------
    opened
        Opens the source anew. What it reads must be the same each time, and at least two batches in all.

    Raises
    ------
    AssertionError
        If an object is named twice, if a load without news lands rows, or if a load that stopped and went
        on does not land what one in one go lands.
    """
    names = [each.name for each in opened().objects()]
    _hold(bool(names), "It offers no object: nothing can be loaded.")
    _hold(len(names) == len(set(names)), f"An object is named twice: {names}.")
    with TemporaryDirectory() as folder:
        whole = _Landing(Path(folder) / "whole")
        batches = whole.load(opened())
        expected = whole.rows()
        _hold(batches > 1, "It delivers fewer than two batches: whether it can go on where it stopped does not show.")
        whole.load(opened())
        _hold(whole.rows() == expected, "A load without news landed rows: each load would double them.")
        for behind in range(1, min(batches, 4)):
            parted = _Landing(Path(folder) / f"parted-{behind}")
            parted.load(opened(), stops_behind=behind)
            parted.load(opened())
            _hold(
                parted.rows() == expected,
                f"Stopped behind batch {behind} and gone on, it did not land what it lands in one go.",
            )


def check_destination(
    opened: Callable[[], Connection],
    members: Sequence[Mapping[str, Any]],
    *,
    audience: str,
    held: Callable[[], Collection[Any]],
) -> None:
    """Hold a destination to its contract.

    Adds members, adds them again under the same key as after a run that died, takes one off, takes it off again, and
    adds it once more.

    Parameters
    ----------
    opened
        Opens the connection anew.
    members
        Values by field of at least two people or accounts that the destination takes.
    audience
        One of its audiences.
    held
        Tells whom the destination has: anything that can be counted and compared, one a member.

    Raises
    ------
    AssertionError
        If what it says of itself does not fit together, if it does not answer each row, or if the destination does not
        have whom it should.
    """
    connection = opened()
    _hold(bool(connection.modes) and bool(connection.entities), "It says no mode or no entity that it takes.")
    missing = [field for field in connection.identity if field not in connection.fields]
    _hold(bool(connection.identity) and not missing, f"Its identity is not among its fields: {missing}.")
    _hold(len(members) > 1, "Fewer than two members: whether the others stay does not show.")
    _hold(bool(look_at(connection)), "A look at the connection finds nothing at all.")
    told = _Telling(opened, members, audience)

    told.tell("add", range(len(members)))
    all_of_them = _seen(held)
    _hold(len(all_of_them) == len(members), f"{len(members)} members were added and it has {len(all_of_them)}.")
    told.again()
    _hold(_seen(held) == all_of_them, "The same batch came twice, as after a run that died, and changed something.")
    if connection.modes[0] == "add_only":
        return
    told.tell("remove", [0])
    others = _seen(held)
    _hold(len(others) == len(members) - 1, f"One of {len(members)} was removed and it has {len(others)}.")
    told.again()
    _hold(_seen(held) == others, "Who was gone was removed again, and somebody else went.")
    told.tell("add", [0])
    _hold(_seen(held) == all_of_them, "Who left and came back is not there as before.")


class _Landing:
    """A lake that a source is landed in."""

    def __init__(self, folder: Path) -> None:
        self._lake = Lake(folder, engine=open_engine())

    def load(self, source: Source, *, stops_behind: int | None = None) -> int:
        batches = 0

        def landed_one(*_: Any, **__: Any) -> None:
            nonlocal batches
            batches += 1
            if batches == stops_behind:
                raise ConnectorStopped("It was told to stop here.")

        landed = land(_NAME, source, self._lake, progress=landed_one)
        refused = "; ".join(error.message for error in landed.refused)
        _hold(not refused, f"It could not read all that it offers: {refused}")
        return batches

    def rows(self) -> list[str]:
        found = []
        for name in self._lake.objects(_NAME):
            rows = self._lake.engine.collect(self._lake.scan(f"landing/{_NAME}/{name}"))
            kept = rows.select([column for column in rows.column_names if column not in _STAMPS])
            found += [f"{name} {json.dumps(row, default=str, sort_keys=True)}" for row in kept.to_pylist()]
        return sorted(found)


class _Telling:
    """Batches for a connection, as the toolkit makes them: whole audiences or differences."""

    def __init__(self, opened: Callable[[], Connection], members: Sequence[Mapping[str, Any]], audience: str) -> None:
        self._opened, self._members, self._audience = opened, members, audience
        self._known_as: dict[int, str | None] = {}
        self._there: set[int] = set()
        self._last: Batch | None = None
        self._told = 0

    def tell(self, action: str, places: Sequence[int]) -> None:
        connection = self._opened()
        is_full = connection.modes[0] == "full"
        kept = sorted(self._there - set(places)) if is_full else []
        rows = [self._row(connection, place, action) for place in places]
        rows += [self._row(connection, place, "keep") for place in kept]
        self._told += 1
        columns = ("_action", "_row_key", "_profile_id", "_known_as", "_is_change", *connection.fields)
        table = pa.table({name: [row[name] for row in rows] for name in columns})
        table = table.set_column(3, "_known_as", table["_known_as"].cast(pa.string()))
        refused = pa.table({"_profile_id": pa.array([], pa.int64()), "_reason": pa.array([], pa.string())})
        key, now = f"{_NAME}-{self._told}", datetime.now(UTC)
        self._last = Batch(key, key, _NAME, self._audience, connection.modes[0], now, table, refused)
        outcomes = self._deliver(connection, self._last)
        self._known_as |= {place: outcome.known_as for place, outcome in zip([*places, *kept], outcomes, strict=True)}
        self._there = self._there | set(places) if action == "add" else self._there - set(places)

    def again(self) -> None:
        if self._last is not None:
            self._deliver(self._opened(), self._last)

    def _row(self, connection: Connection, place: int, action: str) -> dict[str, Any]:
        fields = {field: self._members[place].get(field) for field in connection.fields}
        key = next((str(fields[field]) for field in connection.identity if fields[field] is not None), None)
        _hold(key is not None, f"Member {place} has none of {', '.join(connection.identity)}.")
        about = {"_action": action, "_row_key": key, "_profile_id": place, "_known_as": self._known_as.get(place)}
        # Of a removed row nothing is known but its key, and what the destination called it.
        told = dict.fromkeys(fields) if action == "remove" else fields
        return {**about, "_is_change": action != "keep", **told}

    def _deliver(self, connection: Connection, batch: Batch) -> Sequence[Outcome]:
        outcomes = connection.deliver(batch)
        _hold(
            len(outcomes) == len(batch.rows), f"{len(batch.rows)} rows got {len(outcomes)} outcomes: one each is due."
        )
        reasons = [outcome.reason for outcome in outcomes if outcome.status != "delivered"]
        _hold(not reasons, f"Rows that it should take were not delivered: {reasons}.")
        return outcomes


def _seen(held: Callable[[], Collection[Any]]) -> list[str]:
    return sorted(repr(each) for each in held())


def _hold(claim: bool, broken: str) -> None:  # noqa: FBT001 - a claim and what breaks with it
    if not claim:
        raise AssertionError(broken)
