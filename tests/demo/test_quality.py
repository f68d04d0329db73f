"""A stitching is measured by pairs, counted by group sizes."""

from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_toolkit.demo import evaluate_stitching


def truth_of(true_ids: list[int]) -> pl.DataFrame:
    keys = [str(n) for n in range(len(true_ids))]
    return pl.DataFrame({"entity": "person", "source_key": keys, "true_id": true_ids})


def ids_of(profile_ids: list[int]) -> pl.DataFrame:
    keys = [str(n) for n in range(len(profile_ids))]
    return pl.DataFrame({"source_key": keys, "profile_id": profile_ids})


def test_the_truth_itself_is_perfect():
    quality = evaluate_stitching(ids_of([8, 8, 9]), truth_of([1, 1, 2]))

    assert (quality.precision, quality.recall, quality.f1) == (1.0, 1.0, 1.0)


def test_putting_all_in_one_costs_precision_and_no_recall():
    quality = evaluate_stitching(ids_of([5, 5, 5, 5]), truth_of([1, 1, 2, 2]))

    assert quality.precision == pytest.approx(2 / 6)
    assert quality.recall == 1.0


def test_records_without_a_profile_are_counted_and_not_judged():
    quality = evaluate_stitching(ids_of([1, 1]), truth_of([1, 1, 1]))

    assert (quality.records, quality.left_out, quality.recall) == (2, 1, 1.0)


def test_records_of_another_entity_are_not_judged():
    accounts = truth_of([1, 1]).with_columns(entity=pl.lit("account"))

    quality = evaluate_stitching(ids_of([1, 2]), pl.concat([truth_of([1, 1]), accounts]), entity="account")

    assert quality.records == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_counting_groups_equals_listing_pairs(pairs):
    true_ids, profile_ids = [true for true, _ in pairs], [found for _, found in pairs]

    quality = evaluate_stitching(ids_of(profile_ids), truth_of(true_ids))

    put = [(a, b) for a, b in combinations(range(len(pairs)), 2) if profile_ids[a] == profile_ids[b]]
    belong = [(a, b) for a, b in combinations(range(len(pairs)), 2) if true_ids[a] == true_ids[b]]
    right = len(set(put) & set(belong))
    assert quality.precision == (pytest.approx(right / len(put)) if put else 1.0)
    assert quality.recall == (pytest.approx(right / len(belong)) if belong else 1.0)
