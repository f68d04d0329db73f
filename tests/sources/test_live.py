"""Live sources: read in windows, stopped and resumed, described, and never landed twice."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.entities.catalogue import load_mapping
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConnectorStopped, QuotaExhausted, SourceError
from cdp_toolkit.lake import Lake
from cdp_toolkit.pipeline.load import load
from cdp_toolkit.sources.budget import Budget
from cdp_toolkit.sources.land import land
from cdp_toolkit.sources.rows import Page, as_texts, gather
from cdp_toolkit.sources.source import Batch, Object
from cdp_toolkit.sources.windows import Plan, moment, stamp

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Vendor:
    """Deals with the time of their last change, read in windows of a day."""

    def __init__(self, now, deals=(), fields=None, limit=None, fails_at=None, error=None):
        self.now, self.deals, self.fields = now, deals, fields
        self.fails_at, self.error = fails_at, error
        self.budget = Budget(limit, clock=lambda: now)

    def objects(self):
        return [Object("deals", fields=self.fields)]

    def unknown(self):
        return []

    def read(self, _, cursor):
        plan = Plan.of(cursor, since=MARCH, now=self.now, step=DAY, overlap=timedelta(hours=2))
        for window in plan.windows():
            if self.fails_at == stamp(window.start):
                raise self.error
            self.budget.spend()
            rows = [{"id": i, "updatedAt": at} for i, at in self.deals if window.start <= moment(at) < window.end]
            pages = [Page(rows, plan.after(window), plan.share(window))]
            yield from gather(str(window), pages, overlap=window.overlap("id", "updatedAt"))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", engine=open_engine())


def landed(lake, table="landing/crm/deals"):
    rows = lake.scan(table).to_native().collect()
    return rows.drop("_loaded_at").sort("_batch", "_line") if "_batch" in rows.columns else rows


DEALS = [("1", "2026-03-01T10:00:00Z"), ("2", "2026-03-02T10:00:00Z"), ("3", "2026-03-03T23:30:00Z")]


def test_a_load_that_stops_goes_on_at_the_window_where_it_stopped(lake):
    broken = Vendor(MARCH + 4 * DAY, DEALS, fails_at="2026-03-02T00:00:00Z", error=SourceError("Out of order."))

    first = land("crm", broken, lake)
    second = land("crm", Vendor(MARCH + 5 * DAY, DEALS), lake)

    assert (first.rows, second.rows) == (1, 2)
    assert [error.message for error in first.refused] == ["Out of order."]
    assert landed(lake)["id"].to_list() == ["1", "2", "3"]


def test_an_increment_reads_the_overlap_again_and_lands_only_what_is_new(lake):
    land("crm", Vendor(MARCH + 3 * DAY, DEALS), lake)
    changed = ("1", "2026-03-04T00:30:00Z")

    again = land("crm", Vendor(MARCH + 3 * DAY + timedelta(hours=1), [*DEALS, changed]), lake)

    assert landed(lake)["id"].to_list() == ["1", "2", "3", "1"]
    assert again.rows == 1


def test_what_a_vendor_shows_late_is_found_within_the_overlap(lake):
    land("crm", Vendor(MARCH + 3 * DAY, DEALS[:1]), lake)
    late = [*DEALS[:1], ("4", "2026-03-03T23:00:00Z")]

    done = land("crm", Vendor(MARCH + 3 * DAY + timedelta(hours=1), [*late, ("5", "2026-03-03T22:15:00Z")]), lake)

    assert done.rows == 2
    assert sorted(landed(lake)["id"]) == ["1", "4", "5"]


def test_a_load_without_news_lands_nothing(lake):
    land("crm", Vendor(MARCH + 4 * DAY, DEALS), lake)

    again = land("crm", Vendor(MARCH + 4 * DAY, DEALS), lake)

    assert (again.rows, landed(lake).height) == (0, 3)


def test_a_spent_day_stops_the_source_and_the_next_day_goes_on(lake):
    first = land("crm", Vendor(MARCH + 4 * DAY, DEALS, limit=2), lake)
    same_day = land("crm", Vendor(MARCH + 4 * DAY, DEALS, limit=2), lake)
    next_day = land("crm", Vendor(MARCH + 5 * DAY, DEALS, limit=3), lake)

    assert isinstance(first.stopped, QuotaExhausted)
    assert first.stopped.resume_at == MARCH + 5 * DAY
    assert (first.rows, same_day.rows, next_day.rows) == (2, 0, 1)
    assert isinstance(same_day.stopped, QuotaExhausted)
    assert landed(lake)["id"].to_list() == ["1", "2", "3"]


def test_a_source_that_is_down_is_told_and_keeps_what_had_landed(lake):
    down = Vendor(MARCH + 4 * DAY, DEALS, fails_at="2026-03-02T00:00:00Z", error=ConnectorStopped("It is down."))

    done = land("crm", down, lake)

    assert (done.rows, done.stopped.message, done.refused) == (1, "It is down.", [])


def test_fields_that_are_new_gone_or_of_another_type_are_recorded_and_told(lake):
    first = land("crm", Vendor(MARCH + DAY, fields={"id": "string", "amount": "integer", "old": "string"}), lake)

    second = land("crm", Vendor(MARCH + DAY, fields={"id": "string", "amount": "currency", "new": "date"}), lake)
    third = land("crm", Vendor(MARCH + DAY, fields={"id": "string", "amount": "currency", "new": "date"}), lake)

    assert (first.notes, third.notes) == ([], [])
    assert second.notes == [
        "Fields of crm/deals changed: new new, retyped amount (integer became currency), vanished old. See landing/_fields."
    ]
    changes = landed(lake, "landing/_fields").filter(pl.col("previous").is_not_null() | (pl.col("field") == "new"))
    assert sorted(changes.select("field", "change", "previous", "type").rows()) == [
        ("amount", "retyped", "integer", "currency"),
        ("new", "new", None, "date"),
        ("old", "vanished", "string", None),
    ]


def test_progress_is_told_with_rows_and_the_share_that_is_done(lake):
    told = []

    land(
        "crm", Vendor(MARCH + 4 * DAY, DEALS), lake, progress=lambda *names, **how: told.append((*names, *how.values()))
    )

    assert told == [
        ("crm", "deals", 1, 0.25),
        ("crm", "deals", 2, 0.5),
        ("crm", "deals", 3, 0.75),
        ("crm", "deals", 3, 1.0),
    ]


def test_a_source_knows_what_it_has_landed(lake):
    class Linked(Vendor):
        def link(self, delivered):
            self.delivered = delivered

        def objects(self):
            return [Object("deals"), Object("owners")]

        def read(self, each, cursor):
            if each.name == "deals":
                yield from super().read(each, cursor)
                return
            ids = [row["id"] for batch in self.delivered("deals", ["id"]) for row in batch.to_pylist()]
            yield Batch("owners", {}, lambda: as_texts([{"of": "-".join(sorted(ids))}], "owners"))

    land("crm", Linked(MARCH + 4 * DAY, DEALS), lake)

    assert landed(lake, "landing/crm/owners")["of"].to_list() == ["1-2-3"]


def test_a_source_that_is_down_leaves_the_others_running_and_the_run_partial(lake):
    mapping = load_mapping("salesforce", lake.model)
    about = {name: LandedSource(name, "Salesforce", name, mapping) for name in ("one", "two", "three")}
    down = Vendor(MARCH + DAY, fails_at=stamp(MARCH), error=ConnectorStopped("It is down.", hint="Wait."))
    spent = Vendor(MARCH + DAY, DEALS, limit=0)
    sources = {"one": down, "two": spent, "three": Vendor(MARCH + 4 * DAY, DEALS)}

    done = load(lake, {name: (about[name], source) for name, source in sources.items()}, only=list(sources))

    assert (done.outcome, done.counts["rows landed"]) == ("partial", 3)
    assert done.problems[0] == "one: It is down. Wait."
    assert done.next_step == "Go on with two after 2026-03-03 00:00 UTC: `load`."


def test_a_load_that_only_moved_the_watermark_makes_no_records_again(lake):
    about = LandedSource("crm", "Salesforce", "crm", load_mapping("salesforce", lake.model))

    outcomes = [
        load(lake, {"crm": (about, Vendor(MARCH + days * DAY, DEALS))}, only=["crm"]).outcome for days in (4, 5, 6)
    ]

    assert outcomes == ["done", "unchanged", "unchanged"]


moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: MARCH + timedelta(minutes=minutes))


@given(st.lists(moments, min_size=1, max_size=6).map(sorted), st.integers(60, 20_000), st.data())
def test_however_often_loads_run_or_stop_their_windows_leave_no_gap(nows, step, data):
    cursor, end = {}, MARCH
    for now in nows:
        plan = Plan.of(cursor, since=MARCH, now=now, step=timedelta(minutes=step), overlap=timedelta(minutes=30))
        for window in plan.windows():
            assert window.start == (end - timedelta(minutes=30) if window.is_repeated else end)
            assert window.end - window.start <= timedelta(minutes=step)
            assert 0 <= plan.share(window) <= 1
            if data.draw(st.integers(0, 3)) == 0:
                break
            cursor, end = plan.after(window), window.end


@given(st.lists(st.integers(0, 7), max_size=30), st.integers(1, 10))
def test_pages_are_put_together_without_losing_a_row_or_a_cursor(sizes, most):
    pages = [Page([{"id": f"{n}.{i}"} for i in range(size)], {"page": n}) for n, size in enumerate(sizes)]

    batches = list(gather("all", pages, most_rows=most))

    rows = [row["id"] for batch in batches for row in batch.open().read_all().to_pylist() if "id" in row]
    assert rows == [row["id"] for page in pages for row in page.rows]
    assert [batch.cursor for batch in batches][-1:] == [page.cursor for page in pages][-1:]
