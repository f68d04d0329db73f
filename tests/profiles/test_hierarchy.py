"""Accounts and their parents, whatever sources say of them."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.profiles.hierarchy import MAX_LEVELS, add_places, list_cycles, list_descendants

CHAIN = 10_000


@pytest.fixture
def accounts(frame, engine):
    def build(parents):
        return add_places(frame(_columns(parents), {"parent_id": pa.int64()} | _SCHEMA), engine)

    return build


_SCHEMA = {"profile_id": pa.int64(), "account_name": pa.string()}


def _columns(parents):
    names = [f"account {number}" for number in parents]
    return {"profile_id": [*parents], "account_name": names, "parent_id": [*parents.values()]}


def test_an_account_knows_its_topmost_parent_and_how_deep_it_stands(accounts, rows):
    placed = accounts({1: None, 2: 1, 3: 2, 4: 2, 9: None})

    assert rows(placed, "profile_id", "ultimate_parent_id", "hierarchy_depth") == [
        (1, 1, 0), (2, 1, 1), (3, 1, 2), (4, 1, 2), (9, 9, 0)
    ]  # fmt: skip


def test_a_circle_of_parents_has_no_top_and_is_named(accounts, engine, rows):
    placed = accounts({1: 2, 2: 3, 3: 1, 4: 3, 5: 4, 6: None, 7: 6, 8: 8})

    assert rows(placed, "profile_id", "ultimate_parent_id", "hierarchy_depth") == [
        (1, None, None), (2, None, None), (3, None, None), (4, None, None), (5, None, None), (6, 6, 0), (7, 6, 1),
        (8, None, None),
    ]  # fmt: skip
    assert rows(list_cycles(placed, engine), "profile_id", "account_name", "parent_id", "cycle_id") == [
        (1, "account 1", 2, 1), (2, "account 2", 3, 1), (3, "account 3", 1, 1), (8, "account 8", 8, 8)
    ]  # fmt: skip


def test_accounts_without_parents_are_their_own_top(accounts, engine, rows):
    placed = accounts({1: None, 2: None})

    assert rows(placed, "ultimate_parent_id", "hierarchy_depth") == [(1, 0), (2, 0)]
    assert rows(list_cycles(placed, engine), "profile_id") == []
    assert rows(list_descendants(placed, engine), "account_id") == []


def test_descendants_are_listed_with_their_distance(accounts, engine, rows):
    placed = accounts({1: None, 2: 1, 3: 2, 4: 1, 5: 6, 6: 5})

    below = list_descendants(placed, engine)

    assert rows(below, "account_id", "descendant_id", "levels") == [(1, 2, 1), (1, 3, 2), (1, 4, 1), (2, 3, 1)]


def test_a_chain_of_ten_thousand_parents_is_followed_to_its_end(accounts, engine, rows):
    placed = accounts({1: None} | {number: number - 1 for number in range(2, CHAIN + 1)})

    found = engine.collect(placed).sort_by("profile_id").to_pylist()
    levels = rows(list_descendants(placed, engine), "levels")

    assert {account["ultimate_parent_id"] for account in found} == {1}
    assert [account["hierarchy_depth"] for account in found] == list(range(CHAIN))
    assert max(levels) == MAX_LEVELS


def test_a_circle_of_ten_thousand_parents_is_reported(accounts, engine, rows):
    placed = accounts({number: number % CHAIN + 1 for number in range(1, CHAIN + 1)})

    assert len(rows(list_cycles(placed, engine), "profile_id")) == CHAIN
    assert set(rows(placed, "ultimate_parent_id")) == {None}


def _walked(parents, account):
    path = [account]
    while (above := parents[path[-1]]) is not None:
        if above in path:
            return None, None
        path.append(above)
    return path[-1], len(path) - 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.integers(0, 11), min_size=12, max_size=12))
def test_jumping_finds_what_walking_finds(given_parents):
    parents = dict(enumerate(given_parents))
    engine = open_engine("polars")
    table = pa.table(_columns(parents), schema=pa.schema([*_SCHEMA.items(), ("parent_id", pa.int64())]))

    placed = engine.materialise(add_places(engine.load(table), engine))

    found = engine.collect(placed).to_pylist()
    assert {each["profile_id"]: (each["ultimate_parent_id"], each["hierarchy_depth"]) for each in found} == {
        account: _walked(parents, account) for account in parents
    }
    circles = set(engine.collect(list_cycles(placed, engine))["profile_id"].to_pylist())
    assert circles == {account for account in parents if _comes_back(parents, account)}


def _comes_back(parents, account):
    above, steps = parents[account], 0
    while above is not None and above != account and steps < len(parents):
        above, steps = parents[above], steps + 1
    return above == account
