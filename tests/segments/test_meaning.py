"""Each construct of the language, on each engine: rules, and for whom they are true."""

from pathlib import Path

import pytest
import yaml

from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF

CASES = yaml.safe_load((Path(__file__).parent / "conformance.yaml").read_text("utf-8"))
IN_BUCKETS = {"bucket_size": 2}
WORLD = CASES.pop("world")


@pytest.mark.parametrize("way", ["as one lazy frame", "in buckets"])
@pytest.mark.parametrize("topic", CASES)
def test_a_rule_is_true_for_whom_the_file_says(topic, way, world, model, engine, rows):
    rules = {f"rule_{number}": case["pql"] for number, case in enumerate(CASES[topic])}
    segments = [Segment(name=name, pql=pql) for name, pql in rules.items()]

    evaluation = evaluate(
        segments, world(WORLD), model, as_of=AS_OF, **(IN_BUCKETS | {"engine": engine} if way == "in buckets" else {})
    )

    assert {name: str(error) for name, error in evaluation.failed.items()} == {}
    found = {pql: [] for pql in rules.values()}
    for name, profile_id in rows(evaluation.members, "segment", "profile_id"):
        found[rules[name]].append(profile_id)
    assert found == {case["pql"]: case["in"] for case in CASES[topic]}
