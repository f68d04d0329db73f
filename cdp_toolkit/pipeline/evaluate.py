"""Evaluate: who is in which audience, who entered and who left."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import narwhals as nw

from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.profiles.build import address
from cdp_toolkit.profiles.definition import DEFAULT
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.step import Found, Step


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage: a thousand rules become nodes that all stay, and it would walk them all, twice."""
    was_enabled = gc.isenabled()
    gc.disable()  # 0.1 s of 1 s
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()  # to the end, when most nodes are gone by themselves
def evaluate(
    lake: Lake,
    segments: Sequence[Segment],
    *,
    as_of: datetime,
    timezone: str,
    only: Sequence[str] | None = None,
    policies: Sequence[str] = (DEFAULT,),
) -> Run:
    """Find out who is in which audience, and who entered or left.

    Parameters
    ----------
    lake
        Reads ``profiles/``, writes ``segments/``.
    segments
        All segments of the workspace.
    as_of
        What ``now`` means, in UTC.
    timezone
        Where days begin.
    only
        Names of the segments to evaluate; all active ones by default.
    policies
        Names of the merge policies that there are.

    Returns
    -------
    Run
        Counts of segments, members, entered and left; ``details`` has the size of each audience.
    """
    definitions = digest([segment.model_dump() for segment in segments], timezone, lake.model.model_dump())
    with lake.run("evaluate", definitions=definitions) as run, Ahead(lake.engine) as ahead:
        run.next_step = "See what would be sent: `activate --dry-run`."
        last = lake.log.last("evaluate")
        is_same = last is not None and last["definitions"] == definitions
        numbering = ahead.begin(partial(lake.numbering, is_committed=True))
        step = Step(run, segments, lake.model, lake.engine, numbering, as_of, timezone, last if is_same else None)
        active = {segment.name for segment in segments if segment.status == "active"}
        found = _by_policy(step, [each for each in segments if each.name in active & set(only or active)], policies)
        run.problems += [f"{name}: {problem}" for name, problem in found.failed.items()]
        # A segment that is no more, or no longer active, has no members: they leave it now.
        gone = {*_sizes(run, lake)} - active
        changed = step.keep(gone) if found.methods else {}
        sizes = _sizes(run, lake)
        run.counts |= {"segments": len(found.methods), "members": sum(sizes.values()), "entered": 0, "exited": 0}
        run.counts |= changed
        run.details["audiences"] = {name: sizes.get(name, 0) for name in sorted({*sizes, *found.methods})}
        run.details["methods"] = {name: f"{method}: {reason}" for name, (method, reason) in found.methods.items()}
        run.details["evaluation"] = {"as_of": as_of.isoformat(), **found.looked_at}
        if not changed:
            run.nothing_to_do()
    return run.result


def _by_policy(step: Step, segments: Sequence[Segment], policies: Sequence[str]) -> Found:
    """Return who moved, of each segment among the profiles of its merge policy."""
    found = Found()
    for policy in dict.fromkeys(segment.merge_policy or DEFAULT for segment in segments):
        names = [segment.name for segment in segments if (segment.merge_policy or DEFAULT) == policy]
        if policy in policies:
            found += step.evaluate(names, partial(address, policy=policy))
        else:
            problem = UnknownNameError("merge policy", policy, policies)
            found += Found(failed=dict.fromkeys(names, problem.message))
    return found


def _sizes(run: OpenRun, lake: Lake) -> dict[str, int]:
    if not run.exists("segments/membership"):
        return {}
    realized = run.packed("segments/membership", only={"status": ["realized"]})
    counted = lake.engine.collect(realized.group_by("segment").agg(size=nw.col("profiles").sum()))
    return {row["segment"]: int(row["size"]) for row in counted.to_pylist()}
