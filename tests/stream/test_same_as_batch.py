"""An audience by rounds is the audience that one batch run makes of all that was sent, at the same instant."""

import datetime as dt
import json
from itertools import count

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.sources.inlets import log_file
from cdp_toolkit.sources.log import Message, MessageLog
from cdp_toolkit.stream.rounds import run_round
from cdp_toolkit.workspace import Workspace

VIEW, FORM = "web.webpagedetails.pageViews", "web.formFilledOut"
SEEN = f'event_type = "{VIEW}"'
RULES = {
    "recent": f"xEvent[{SEEN} and timestamp occurs <= 2 hours before now].count() >= 2",
    "lapsed": f"xEvent[{SEEN}].count() >= 1 and xEvent[{SEEN} and timestamp occurs <= 3 hours before now].count() = 0",
    "long_ago": f"xEvent[{SEEN} and timestamp occurs > 4 hours before now].count() >= 1",
    "in_order": f'CHAIN(xEvent, timestamp, [A: WHAT({SEEN}), B: WHAT(event_type = "{FORM}")])',
    "soon_after": f'CHAIN(xEvent, timestamp, [A: WHAT({SEEN}), B: WHAT(event_type = "{FORM}") WHEN(<= 1 hours after A)])',
    "scored": f"person_score > 50 and xEvent[{SEEN}].count() >= 1",
    "of_active_accounts": "exists A from accounts where A.last_engagement_at occurs <= 5 hours before now",
    "silent": "xEvent.count() = 0",
}
START = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
PEOPLE, FIRMS = ["1", "2", "3", "4"], ["8", "9"]


def stamp(minutes):
    return (START + dt.timedelta(minutes=minutes)).isoformat()


def as_event(name, who, kind, minutes):
    return "event", {"_id": name, "timestamp": stamp(minutes), "eventType": kind,
                     "identityMap": {"ECID": [{"id": who.rjust(38, "0")}]}}  # fmt: skip


def as_person(who, firm, score, minutes):
    told = {"b2b": {"personKey": {"sourceKey": f"{who}@web.XDM"}, "personScore": score},
            "identityMap": {"ECID": [{"id": who.rjust(38, "0")}]},
            "extSourceSystemAudit": {"lastUpdatedDate": stamp(minutes)}}  # fmt: skip
    if firm is not None:
        told["b2b"]["accountKey"] = {"sourceKey": f"{firm}@web.XDM"}
    return "person", told


def as_firm(firm):
    return "account", {"accountKey": {"sourceKey": f"{firm}@web.XDM"}, "accountName": f"Firm {firm}"}


MINUTES = st.integers(0, 10 * 60)
SENT = st.one_of(
    st.builds(
        as_event, st.sampled_from([f"e{i}" for i in range(20)]), st.sampled_from(PEOPLE), st.sampled_from([VIEW, VIEW, FORM]), MINUTES
    ),
    st.builds(as_person, st.sampled_from(PEOPLE), st.sampled_from([None, *FIRMS]), st.sampled_from([10, 90]), MINUTES),
    st.builds(as_firm, st.sampled_from(FIRMS)),
)  # fmt: skip
ROUNDS = st.lists(
    st.tuples(st.lists(SENT, max_size=6), st.integers(1, 5 * 60), st.booleans()), min_size=2, max_size=5
)  # messages, minutes until the round, and whether it is brief


def send(folder, messages, numbers):
    MessageLog(log_file(folder)).append(
        [Message("web", name, f"{name}{next(numbers)}", 0, json.dumps(entity)) for name, entity in messages]
    )


def made(folder):
    folder.mkdir()
    inlet = {"type": "inlet", "system": "xdm", "open": True}
    (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "same", "sources": {"web": inlet}}))
    workspace = Workspace(folder)
    for name, pql in RULES.items():
        workspace.save(Segment(name=name, pql=pql))
    return folder


def members(folder):
    workspace = Workspace(folder)
    ids = workspace.lake.scan("identity/person_ids").to_native().select("profile_id", "source_key")
    found = {name: workspace.members(name).join(ids, on="profile_id").collect() for name in RULES}
    return {name: sorted(rows["source_key"]) for name, rows in found.items()}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
def test_rounds_make_the_audiences_that_one_batch_makes(tmp_path_factory, rounds):
    base = tmp_path_factory.mktemp("same")
    streamed, batched = made(base / "streamed"), made(base / "batched")
    first = [as_person(who, None, 10, 0) for who in map(str, range(100, 130))]
    numbers, again, at = count(), count(), START
    for messages, minutes, is_brief in [(first, 1, False), *rounds, ([], 30, False)]:
        at += dt.timedelta(minutes=minutes)
        send(streamed, messages, numbers)
        assert run_round(streamed, ("web",), is_brief=is_brief, as_of=at).outcome == "done"
        send(batched, messages, again)

    workspace = Workspace(batched)
    workspace.load()
    workspace.stitch(as_of=at)
    workspace.evaluate(as_of=at)
    assert members(streamed) == members(batched)


def test_people_leave_when_a_window_passes_without_any_event(tmp_path):
    folder = made(tmp_path / "passing")
    send(folder, [as_person("1", None, 10, 0), as_event("e1", "1", VIEW, 0), as_event("e2", "1", VIEW, 1)], count())
    run_round(folder, ("web",), as_of=START + dt.timedelta(minutes=2))
    inside = members(folder)
    run_round(folder, ("web",), as_of=START + dt.timedelta(hours=5))
    outside = members(folder)

    assert inside["recent"] == ["1@web.XDM"]
    assert inside["lapsed"] == inside["long_ago"] == []
    assert outside["recent"] == []
    assert outside["lapsed"] == outside["long_ago"] == ["1@web.XDM"]


@pytest.mark.parametrize("is_brief", [True, False])
def test_what_accounts_add_up_from_events_follows_with_the_next_round_that_is_not_brief(tmp_path, is_brief):
    folder, numbers, at = made(tmp_path / "adding"), count(), START + dt.timedelta(hours=1)
    send(folder, [as_firm("8"), as_person("1", "8", 10, 0), *(as_firm(str(i)) for i in range(10, 30))], numbers)
    run_round(folder, ("web",), as_of=at)
    send(folder, [as_event("e1", "1", VIEW, 5)], numbers)
    run_round(folder, ("web",), is_brief=is_brief, as_of=at)
    soon = members(folder)
    run_round(folder, ("web",), as_of=at)

    assert soon["of_active_accounts"] == ([] if is_brief else ["1@web.XDM"])
    assert members(folder)["of_active_accounts"] == ["1@web.XDM"]
