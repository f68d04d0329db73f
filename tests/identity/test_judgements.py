"""What people judged holds against all that records say."""

import datetime as dt

import narwhals as nw
import pyarrow as pa
import pytest
from pydantic import ValidationError

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.judgements import Judgement, check_judgements, judged_identities
from cdp_toolkit.identity.links import link_records

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
COLUMNS = ("entity", "source_key", "record_key", "namespace", "value", "value_key", "seen_at")
TWINS = [
    (key, namespace, value) for key in ("1@m.M", "2@s.S") for namespace, value in (("email", "a@x"), ("name", "a"))
]


@pytest.fixture
def linked(engine, rows):
    """Settle what records carry and what was judged, and return who is linked to whom."""

    def link(carried, *judgements):
        keys = sorted({key for key, *_ in carried})
        records = engine.load(
            pa.table({"source_key": keys, "is_deleted": [False] * len(keys), "entity": ["person"] * len(keys)})
        )
        stated = engine.load(pa.table({
            "entity": ["person"] * len(carried), "source_key": [key for key, *_ in carried],
            "namespace": [name for _, name, _ in carried], "value": [value for *_, value in carried],
            "_spoken": [f"{name}:{value}" for _, name, value in carried],
            "seen_at": pa.array([MAY] * len(carried), pa.timestamp("us", "UTC")),
        }))  # fmt: skip
        hashed = engine.key64(stated, {"record_key": "source_key", "value_key": "_spoken"})
        judged = judged_identities([Judgement(**each) for each in judgements], records, engine)
        identities = nw.concat([hashed.select(*COLUMNS), judged.select(*COLUMNS)])
        rules = IdentityRules()
        settled = settle_links(link_records(identities, rules, engine), identities, records, rules, engine)
        return len(rows(settled.kept, "record_key")), len(rows(settled.refused, "source_key"))

    return link


def test_records_that_share_an_address_stay_apart_if_they_are_judged_not_the_same(linked):
    assert linked(TWINS) == (1, 0)
    assert linked(TWINS, {"not_the_same": ["1@m.M", "2@s.S"]}) == (0, 1)


def test_records_that_share_nothing_are_one_if_they_are_judged_the_same(linked):
    strangers = [("1@m.M", "name", "ana lima"), ("2@s.S", "name", "anna costa")]

    assert linked(strangers) == (0, 0)
    assert linked(strangers, {"same": ["1@m.M", "2@s.S"]}) == (1, 0)


def test_a_judgement_on_two_records_says_nothing_of_others(linked):
    four = [(f"{n}@m.M", "email", mail) for n, mail in ((1, "a@x"), (2, "b@x"), (3, "a@x"), (4, "b@x"))]

    assert linked(four, {"not_the_same": ["1@m.M", "2@m.M"]}, {"not_the_same": ["3@m.M", "4@m.M"]}) == (2, 0)


def test_a_judgement_on_records_that_are_gone_does_nothing(linked):
    assert linked(TWINS, {"not_the_same": ["1@m.M", "9@s.S"]}, {"same": ["1@m.M", "8@s.S"]}) == (1, 0)


def test_judgements_that_contradict_each_other_are_refused():
    judged = [Judgement(same=("1", "2")), Judgement(same=("2", "3")), Judgement(not_the_same=("3", "1"))]

    with pytest.raises(ConfigError, match="judged to be the same and not to be"):
        check_judgements(judged)


@pytest.mark.parametrize("judgement", [{}, {"same": ["1"]}, {"same": ["1", "2"], "not_the_same": ["1", "2"]}])
def test_a_judgement_says_one_thing_of_two_records_or_more(judgement):
    with pytest.raises(ValidationError):
        Judgement(**judgement)
