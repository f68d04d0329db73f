"""When a destination is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.schedule import fields, is_due, last_time

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "hours_ago", "is_evaluated", "due"),
    [
        ("daily", 24, True, True),
        ("daily", 24, False, False),  # nobody can have come or gone
        ("daily", 6, True, False),
        ("on_change", 0, False, True),
        ("manual", 100, True, False),
        ("0 6,11 * * 1-5", 2, False, True),
        ("0 6,11 * * 1-5", 0.5, True, False),
        ("0 13 * * *", 22, True, False),
    ],
)
def test_a_destination_is_due_as_its_schedule_says(schedule, hours_ago, is_evaluated, due):
    told_at = NOON - timedelta(hours=hours_ago)

    assert is_due(schedule, now=NOON, told_at=told_at, is_evaluated=is_evaluated) is due


def test_a_destination_that_was_never_told_is_due_unless_it_waits_to_be_named():
    due = {each: is_due(each, now=NOON, told_at=None, is_evaluated=True) for each in ("daily", "manual", "0 6 * * *")}

    assert due == {"daily": True, "manual": False, "0 6 * * *": True}


def test_a_day_begins_where_the_workspace_is():
    told_at, now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC), datetime(2026, 3, 2, 23, 30, tzinfo=UTC)

    berlin = is_due("daily", now=now, told_at=told_at, is_evaluated=True, timezone="Europe/Berlin")
    london = is_due("daily", now=now, told_at=told_at, is_evaluated=True, timezone="Europe/London")

    assert (berlin, london) == (True, False)


@pytest.mark.parametrize(
    ("schedule", "latest"),
    [
        ("*/15 * * * *", "2026-03-02T12:00"),
        ("5 12 * * *", "2026-03-01T12:05"),
        ("0 0 1 * *", "2026-03-01T00:00"),
        ("0 8 * * 0", "2026-03-01T08:00"),
        ("0 8 * * 7", "2026-03-01T08:00"),
        ("0 8 29 2 *", "2024-02-29T08:00"),
        ("0 8 15 * 5", "2026-02-27T08:00"),  # the 15th or a Friday, whichever was last
    ],
)
def test_the_latest_time_of_a_cron_line(schedule, latest):
    assert last_time(schedule, NOON.replace(tzinfo=None)) == datetime.fromisoformat(latest)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("dayly", "none of daily, on_change, manual"),
        ("61 * * * *", "no minute: they go from 0 to 59"),
        ("0 24 * * *", "no hour"),
        ("0 6 * * mon", "no weekday"),
        ("*/0 * * * *", "no minute"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_wrong(schedule, told):
    with pytest.raises(ValidationError, match=told):
        Destination(name="out", type="files", audiences=["a"], schedule=schedule)


NUMBER = {"minute": st.integers(0, 59), "hour": st.integers(0, 23), "weekday": st.integers(0, 6)}


@given(minute=NUMBER["minute"], hour=NUMBER["hour"], weekday=NUMBER["weekday"],
       days=st.floats(0, 3_000))  # fmt: skip
def test_a_weekly_time_is_never_later_than_now_and_never_a_week_old(minute, hour, weekday, days):
    now = NOON + timedelta(days=days)

    latest = last_time(f"{minute} {hour} * * {weekday}", now)

    assert timedelta(0) <= now - latest < timedelta(days=7)
    assert (latest.hour, latest.minute, latest.isoweekday() % 7) == (hour, minute, weekday)


def test_a_list_of_ranges_and_steps_is_read():
    assert fields("0,30 8-18/5 * * 1-5")[:2] == [{0, 30}, {8, 13, 18}]
