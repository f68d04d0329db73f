"""Calls to a vendor: repeated, awaited, stopped as the answer says, and never telling a secret."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from cdp_toolkit.connectors.http import Http, RefusedError
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.connectors.verdict import Verdict
from cdp_toolkit.errors import ConnectorStopped, QuotaExhausted
from cdp_toolkit.secrets import reveal
from cdp_toolkit.sources.budget import Budget
from tests.stand_ins.serve import serving

QUICK = Patience(attempts=4, first_s=0.001, most_s=0.002)


@pytest.fixture
def vendor():
    """Serve the answers of ``script`` one after the other, the last one for ever."""
    script, seen = [], []

    async def answer(request):
        seen.append(request)
        status, headers, body = script.pop(0) if len(script) > 1 else script[0]
        if body == "cut":
            return StreamingResponse(cut(), headers={"Content-Length": "10", "Content-Type": "text/csv"})
        return JSONResponse(body, status, headers)

    async def cut():
        yield b"id\n"

    with serving(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])) as url:
        yield url, script, seen


def http(url, **options):
    return Http("Vendor", url, **{"patience": QUICK, **options})


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_call_that_fails_for_now_is_made_again(vendor, status):
    url, script, seen = vendor
    script += [(status, {}, {}), (status, {"Retry-After": "0"}, {}), (200, {}, {"ok": True})]

    answer = http(url).call("GET", "/people")

    assert (answer.json(), len(seen)) == ({"ok": True}, 3)


def test_a_call_that_keeps_failing_is_refused_and_says_so(vendor):
    url, script, seen = vendor
    script += [(503, {}, {})]

    with pytest.raises(RefusedError, match=r"503 Service Unavailable. \(4 attempts\)") as refused:
        http(url).call("GET", "/people")

    assert (len(seen), refused.value.where, refused.value.code) == (4, "GET /people", "503")


def test_a_vendor_that_asks_for_a_long_wait_stops_the_connector_until_then(vendor):
    url, script, seen = vendor
    script += [(429, {"Retry-After": "7200"}, {})]

    with pytest.raises(QuotaExhausted) as exhausted:
        http(url).call("GET", "/people")

    left = exhausted.value.resume_at - datetime.now(UTC)
    assert timedelta(minutes=119) < left <= timedelta(minutes=120)
    assert len(seen) == 1


def test_a_token_that_is_refused_is_renewed_twice_and_no_more(vendor):
    url, script, seen = vendor
    script += [(401, {}, {})]
    logins = iter(range(100))

    with pytest.raises(ConnectorStopped, match="401"):
        http(url, access=Token(lambda: (f"token-{next(logins)}", 3600.0))).call("GET", "/people")

    assert [request.headers["authorization"] for request in seen] == [f"Bearer token-{n}" for n in range(3)]


def test_a_wrong_call_is_refused_at_once_and_others_may_work(vendor):
    url, script, seen = vendor
    script += [(400, {}, {}), (200, {}, {})]
    client = http(url)

    with pytest.raises(RefusedError):
        client.call("GET", "/people")

    assert client.call("GET", "/deals").status_code == 200
    assert len(seen) == 2


def test_a_vendor_that_is_down_stops_the_connector():
    with serving(Starlette()) as url:
        pass

    with pytest.raises(ConnectorStopped, match="Vendor cannot be reached"):
        http(url).call("GET", "/people")


def test_what_an_answer_means_is_the_vendors_to_say(vendor):
    url, script, seen = vendor
    script += [(200, {}, {"errors": ["606"]}), (200, {}, {})]

    def judge(answer):
        return Verdict("wait", "too fast", "606", wait_s=0.0) if "errors" in answer.json() else None

    answer = http(url, judge=judge).call("GET", "/people")

    assert (answer.json(), len(seen)) == ({}, 2)


def test_a_body_that_breaks_off_is_told_apart_from_one_that_is_whole(vendor):
    url, script, _ = vendor
    script += [(200, {}, "cut")]

    with pytest.raises(RefusedError) as refused, http(url).stream("GET", "/file") as answer:
        read = list(answer.iter_bytes())

    assert refused.value.code == "broken"
    assert "read" not in locals()


def test_no_error_and_no_log_shows_a_secret(vendor, caplog, monkeypatch):
    url, script, _ = vendor
    script += [(400, {}, {})]
    monkeypatch.setenv("VENDOR_TOKEN", "hunter22-hunter22")
    secret = reveal("${env:VENDOR_TOKEN}")
    told = Verdict("refuse", f"The token {secret} is wrong.")

    with caplog.at_level(logging.INFO), pytest.raises(RefusedError) as refused:
        http(url, judge=lambda _: told).call("GET", "/people", params={"access_token": secret})

    assert secret not in f"{refused.value} {refused.value!r} {caplog.text}"
    assert "/people" in caplog.text


def test_calls_wait_until_the_window_allows_them():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    limiter = Limiter(2, 20.0, clock=lambda: now[0], sleep=sleep)

    for _ in range(5):
        limiter.wait()

    assert (slept, now[0]) == ([20.0, 20.0], 40.0)


def test_a_spent_day_stops_before_the_call_and_says_when_to_go_on(vendor):
    url, script, seen = vendor
    script += [(200, {}, {})]
    budget = Budget(2, zone="America/Chicago", clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    client = http(url, budget=budget)

    client.call("GET", "/people"), client.call("GET", "/people")
    with pytest.raises(QuotaExhausted) as exhausted:
        client.call("GET", "/people")

    assert (len(seen), exhausted.value.resume_at) == (2, datetime(2026, 3, 2, 6, tzinfo=UTC))


def test_a_budget_goes_on_from_what_the_day_has_spent_and_begins_anew_at_midnight():
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    before, after = (Budget(3, clock=lambda: now[0]) for _ in range(2))

    before.spend(2)
    after.recall([before.mark(), {}, {"_calls": {"day": "2026-02-28", "spent": 99}}])
    after.spend()
    with pytest.raises(QuotaExhausted):
        after.spend()
    now[0] += timedelta(days=1)
    after.spend(3)

    assert after.mark() == {"_calls": {"day": "2026-03-02", "spent": 3}}


def test_a_server_of_plain_text_is_read_whole_by_call(vendor):
    url, script, _ = vendor
    script += [(404, {}, "Job not found")]

    with pytest.raises(RefusedError, match="404"), http(url).stream("GET", "/file"):
        pass
