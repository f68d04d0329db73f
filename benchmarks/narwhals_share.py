"""Time an evaluation beside its own plans, run by Polars alone: what Narwhals, and all else that is Python, adds.

``python benchmarks/segments.py --persons 1000000 --home H --step world``, then ``--step layout``, make the tables;
``python benchmarks/narwhals_share.py --home H`` evaluates 1,000 audiences on them, keeps each plan that Polars is given, and
then runs those plans once more with nothing around them. What is around them reads, checks and compiles a thousand rules,
whichever way plans are built, so that in a first round a profiler tells the time in Narwhals' own functions; it makes Python
slower, and so the share larger than it is. The last line is JSON: seconds, a pair a round, and the ratios.
"""

import argparse
import cProfile
import json
import pstats
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from segments_rules import mixed_rules
from segments_world import AS_OF

from cdp_toolkit import Segment
from cdp_toolkit.engines import Frame, open_engine
from cdp_toolkit.lake import Lake
from cdp_toolkit.segments.evaluate import evaluate


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="where benchmarks/segments.py has laid the tables out")
    parser.add_argument("--segments", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="pairs, after one that is not counted")
    options = parser.parse_args()
    engine: Any = open_engine("polars")
    lake = Lake(options.home / "lake", engine=engine)
    segments = [Segment(name=rule.name, pql=rule.pql) for rule in mixed_rules(options.segments).values()]
    plans: list[Any] = []
    run = engine.collect

    def kept(frame: Frame) -> Any:
        plans.append(frame.to_native())
        return run(frame)

    def ours() -> int:
        found = evaluate(segments, lambda name: lake.scan(f"profiles/{name}"), lake.model, as_of=AS_OF, engine=engine)
        return sum(len(part.collect(engine)) for part in found.parts())

    profile = cProfile.Profile()
    whole = timed(lambda: profile.runcall(ours))
    told = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = sum(seconds for (file, _, _), (_, _, seconds, _, _) in told.items() if "narwhals" in Path(file).parts)
    rows = []
    for number in range(options.rounds + 1):
        plans.clear()
        engine.collect = kept  # only here, to see the plans
        whole = timed(ours)
        engine.collect = run
        alone = timed(lambda: [plan.lazy().collect() for plan in plans])
        rows.append({"whole": whole, "plans": len(plans), "polars": alone, "ratio": round(whole / alone, 3)})
        print(("not counted " if not number else "") + str(rows[-1]), file=sys.stderr)
    print(json.dumps({
        "rounds": rows[1:],
        "whole_by_polars_alone": statistics.median(row["ratio"] for row in rows[1:]),
        "profiled": {"whole": whole, "in_narwhals": round(own, 3), "ratio": round(whole / (whole - own), 3)},
    }))  # fmt: skip


def timed(what: Any) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    what()
    return round(time.perf_counter() - started, 3)


if __name__ == "__main__":
    main()
