"""What hangs together is the same, whichever way it is found."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines.components import components, portable_components

KEYS = st.one_of(st.integers(0, 12), st.integers(2**63 - 6, 2**63 - 1), st.sampled_from([2**31, 2**32, 2**32 + 1]))
GRAPHS = st.lists(st.tuples(KEYS, KEYS), max_size=40)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(many, max_examples=15, suppress_health_check=list(HealthCheck))


def union_find(links):
    """Return the smallest node of each node's component, by the textbook."""
    above = {node: node for link in links for node in link}

    def root(node):
        while above[node] != node:
            above[node] = node = above[above[node]]
        return node

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        above[high] = low
    return {node: root(node) for node in above}


def arrays(links):
    return tuple(np.array([link[end] for link in links], np.int64) for end in (0, 1))


def table(links):
    return pa.table(dict(zip("ab", arrays(links), strict=True)))


def as_dict(engine, found):
    rows = engine.collect(found)
    assert len(rows) == len({*rows["node"].to_pylist()})
    return dict(zip(rows["node"].to_pylist(), rows["component"].to_pylist(), strict=True))


@many
@given(GRAPHS)
def test_components_in_memory_are_those_of_union_find(links):
    nodes, roots = components(*arrays(links))

    assert dict(zip(nodes.tolist(), roots.tolist(), strict=True)) == union_find(links)


@few
@given(links=GRAPHS)
def test_every_engine_finds_the_components_of_union_find(engine, links):
    found = engine.connected_components(engine.load(table(links)))

    assert as_dict(engine, found) == union_find(links)


@few
@given(links=GRAPHS)
def test_joins_and_aggregations_alone_find_the_same(engine, links):
    found = portable_components(engine.load(table(links)), engine.materialise)

    assert as_dict(engine, found) == union_find(links)


SHAPES = {
    "chain": [(node, node + 1) for node in range(3_000)],
    "chain of hashes": [(node * 2_654_435_761 % 2**40, (node + 1) * 2_654_435_761 % 2**40) for node in range(3_000)],
    "star around the first": [(0, node) for node in range(1, 3_000)],
    "star around the last": [(3_000, node) for node in range(3_000)],
    "comb": [(node, other) for node in range(1_000) for other in (node + 1, node + 5_000)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_long_and_wide_components_take_few_rounds(engine, shape):
    runs = []

    def counted(frame):
        runs.append(frame)
        return engine.materialise(frame)

    found = portable_components(engine.load(table(SHAPES[shape])), counted)

    assert as_dict(engine, found) == union_find(SHAPES[shape])
    assert len(runs) <= 3 * 16
