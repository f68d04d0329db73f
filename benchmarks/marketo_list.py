"""Put people into a static list of Marketo at Marketo's own pace: the time is the limit's, not ours.

``python benchmarks/marketo_list.py --people 300000`` plans for a list that is empty, delivers to the stand-in at 95 calls in
20 seconds (of the 100 that Marketo allows), and prints the seconds beside those that so many calls take at least.
"""

import argparse
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from cdp_toolkit.connectors.marketo.static_list import StaticList
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.deliver import deliver
from cdp_toolkit.destinations.plan import PLAN_COLUMNS, Plan
from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from tests.stand_ins.serve import serving_apart

CALLS, SECONDS = 95, 20.0
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def destination(url: str, pace: dict[str, float]) -> Destination:
    """Define a list that is made in a folder."""
    return Destination(
        name="newsletter", type="marketo", audiences=("buyers",), base_url=url, client_id="ours", folder="Lead Database",
        client_secret="${env:MARKETO_SECRET}", pace=pace,  # noqa: S106 - a reference
    )  # fmt: skip


def plan(people: int) -> Plan:
    """Plan to add so many people, all of whom Marketo knows."""
    emails = [f"p{n}@company{n % 997}.example" for n in range(1, people + 1)]
    columns = {
        "_audience": ["buyers"] * people, "_profile_id": list(range(people)), "_row_key": emails,
        "_known_as": pa.nulls(people, pa.string()), "_action": ["add"] * people, "_reason": pa.nulls(people, pa.string()),
        "_digest": list(range(people)), "_is_change": [True] * people, "_repeats": pa.nulls(people, pa.string()),
        "_repeats_rows": pa.nulls(people, pa.int64()), "email": emails, "ecid": pa.nulls(people, pa.string()),
    }  # fmt: skip
    assert set(PLAN_COLUMNS) <= columns.keys()
    return Plan("bench", "newsletter", "mirror", NOW, pa.table(columns), pa.table({"rows": [people]}))


def main(people: int, calls: int, seconds: float) -> None:
    """Deliver, and tell how long it took."""
    os.environ["MARKETO_SECRET"] = "secret-of-ours"  # noqa: S105 - of the stand-in
    options = {"leads": people, "activities_each": 0, "every": {}, "window": [100, seconds]}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_apart("tests.stand_ins.marketo:make_app", **options) as url,
    ):
        pace = {"calls": calls, "seconds": seconds, "first_pause_s": 1.0}
        connection = StaticList(destination(url, pace), Path(folder))
        connection.check()  # the stand-in has made its leads
        time.sleep(seconds)  # and the window is empty
        lake = Lake(Path(folder) / "lake", engine=open_engine())
        began = time.perf_counter()
        with lake.run("activate") as run:
            done = deliver(plan(people), connection, run.record, entry=1, at=NOW)
        took = time.perf_counter() - began
    made = 3 + 2 * -(-people // 300)  # whether there are ECIDs, the list, its folder; then two calls a batch
    least = (made // calls) * seconds
    told = {"people": people, "counts": done.counts, "failed": [each.message for each in done.failed], "calls": made}
    print(
        json.dumps({**told, "seconds": took, "limit_seconds": least, "overhead": took / least - 1 if least else None})
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    main(asked.people, asked.calls, asked.seconds)
