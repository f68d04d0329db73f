"""Sequences against a second implementation that tries every choice of rows."""

from datetime import timedelta
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF

days = st.lists(st.tuples(st.sampled_from("abx"), st.integers(0, 9)), max_size=7)


def by_trying(events, limit, operator):
    """Return whether an a, a later b within the limit, and a later a follow each other, with no x before the last."""
    compared = {"<=": lambda gap: gap <= limit, ">": lambda gap: gap > limit}[operator]
    return any(
        (first, second, third) == ("a", "b", "a")
        and start < middle < end
        and compared(middle - start)
        and not any(name == "x" and middle < day < end for name, day in events)
        for (first, start), (second, middle), (third, end) in product(events, repeat=3)
    )


@given(st.lists(days, min_size=1, max_size=4), st.integers(1, 5), st.sampled_from(["<=", ">"]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_chain_is_found_if_any_choice_of_rows_makes_it(world, model, rows, people, limit, operator):
    events = [
        {"profile_id": person, "event_type": name, "timestamp": AS_OF - timedelta(days=10 - day)}
        for person, found in enumerate(people)
        for name, day in found
    ]
    chain = (
        f'CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN({operator} {limit} days after A), '
        '!X: WHAT(eventType = "x"), C: WHAT(eventType = "a")])'
    )
    tables = {"event": events, "person": [{"profile_id": person} for person in range(len(people))]}

    evaluation = evaluate([Segment(name="chain", pql=chain)], world(tables), model, as_of=AS_OF)

    expected = [person for person, found in enumerate(people) if by_trying(found, limit, operator)]
    assert evaluation.failed == {}
    assert rows(evaluation.members, "profile_id") == expected


def by_trying_from_the_first(events, limit, exact):
    """Return whether an a, a later b and a later x follow each other, the x so many days after the a."""
    return any(
        (first, second, third) == ("a", "b", "x")
        and start < middle < end
        and (end - start == limit if exact else end - start <= limit)
        for (first, start), (second, middle), (third, end) in product(events, repeat=3)
    )


@given(st.lists(days, min_size=1, max_size=4), st.integers(2, 6), st.booleans())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_distance_may_count_from_any_step_before(world, model, rows, people, limit, exact):
    events = [
        {"profile_id": person, "event_type": name, "timestamp": AS_OF - timedelta(days=10 - day)}
        for person, found in enumerate(people)
        for name, day in found
    ]
    chain = (
        'CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b"), '
        f'C: WHAT(eventType = "x") WHEN({"=" if exact else "<="} {limit} days after A)])'
    )
    tables = {"event": events, "person": [{"profile_id": person} for person in range(len(people))]}

    evaluation = evaluate([Segment(name="chain", pql=chain)], world(tables), model, as_of=AS_OF)

    expected = [person for person, found in enumerate(people) if by_trying_from_the_first(found, limit, exact)]
    assert evaluation.failed == {}
    assert rows(evaluation.members, "profile_id") == expected


def by_counting(events, limit, amount, is_clear):
    """Return whether after an a so many b follow within the limit, then an a, and no x between the a and the last b."""
    for (name, start), (last, end), (then, after) in product(events, repeat=3):
        between = [each for each, day in events if start < day <= end]
        if (name, last, then) != ("a", "b", "a") or not start < end < after or end - start > limit:
            continue
        spoilt = any(each == "x" and start < day < end for each, day in events)
        if between.count("b") >= amount and not (is_clear and spoilt):
            return True
    return False


many_days = st.lists(st.tuples(st.sampled_from("abbx"), st.integers(0, 9)), max_size=9)


@given(st.lists(many_days, min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 3), st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_so_many_rows_within_a_distance_are_counted_from_any_start(world, model, rows, people, limit, amount, is_clear):
    events = [
        {"profile_id": person, "event_type": name, "timestamp": AS_OF - timedelta(days=10 - day)}
        for person, found in enumerate(people)
        for name, day in found
    ]
    unwanted = '!X: WHAT(eventType = "x"), ' if is_clear else ""
    chain = (
        f'CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), {unwanted}'
        f'B: WHAT(eventType = "b") WHEN(<= {limit} days after A) COUNT(>= {amount}), C: WHAT(eventType = "a")])'
    )
    tables = {"event": events, "person": [{"profile_id": person} for person in range(len(people))]}

    evaluation = evaluate([Segment(name="chain", pql=chain)], world(tables), model, as_of=AS_OF)

    expected = [person for person, found in enumerate(people) if by_counting(found, limit, amount, is_clear)]
    assert evaluation.failed == {}
    assert rows(evaluation.members, "profile_id") == expected


@given(st.lists(days, min_size=1, max_size=4), st.integers(1, 3))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_latest_events_and_groups_are_those_that_sorting_finds(world, model, rows, people, amount):
    events = [
        {"profile_id": person, "event_type": name, "timestamp": AS_OF - timedelta(days=10 - day, minutes=place)}
        for person, found in enumerate(people)
        for place, (name, day) in enumerate(found)
    ]
    tables = {"event": events, "person": [{"profile_id": person} for person in range(len(people))]}
    segments = [
        Segment(name="latest", pql=f'xEvent.topN(timestamp, {amount}).exists(eventType = "a")'),
        Segment(name="often", pql=f"xEvent.groupBy(eventType).exists((K, G) => G.count() > {amount})"),
    ]

    evaluation = evaluate(segments, world(tables), model, as_of=AS_OF)

    expected = []
    for person, found in enumerate(people):
        kinds = [name for name, _ in found]
        latest = sorted(range(len(found)), key=lambda place: (found[place][1], -place))[-amount:]
        expected += [("latest", person)] if any(kinds[place] == "a" for place in latest) else []
        expected += [("often", person)] if any(kinds.count(kind) > amount for kind in kinds) else []
    assert evaluation.failed == {}
    assert rows(evaluation.members, "segment", "profile_id") == sorted(expected)
