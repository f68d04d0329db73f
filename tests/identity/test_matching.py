"""People whom no source gives an account are matched to one by what agrees, or left alone."""

import datetime as dt

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.matching import MATCHED_FROM, match_accounts, tell_match
from cdp_toolkit.identity.signals import near_names
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
JUNE = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
ACME = {"account_name": "Acme GmbH", "website": "https://www.acme.example", "billing_country": "Germany"}
BOLT = {"account_name": "Bolt Inc.", "website": "bolt.example", "billing_country": "United States"}


def _key(entity, number):
    return f"{entity}{number}@s.S"


class Matcher:
    """Matches people to accounts, each of which is one record; their numbers are their ids, accounts from 100."""

    def __init__(self, engine):
        self.engine = engine

    def frame(self, name, rows):
        columns = table(name).columns
        schema = pa.schema([(column, arrow_type(kind)) for column, kind in columns.items()])
        return self.engine.load(pa.Table.from_pylist([dict.fromkeys(columns) | row for row in rows], schema=schema))

    def match(self, people, accounts, ties=(), previous=None, as_of=JUNE, **settings):
        records = {
            entity: [
                {"source_key": _key(entity, n), "is_deleted": False, "updated_at": MAY} | row
                for n, row in enumerate(rows, start=first)
            ]
            for entity, rows, first in (("person", people, 0), ("account", accounts, 100), ("account_person", ties, 0))
        }
        ids = {
            entity: [
                {"source_key": row["source_key"], "profile_id": n, "is_deleted": False}
                for n, row in enumerate(records[entity], start=first)
            ]
            for entity, first in (("person", 0), ("account", 100))
        }
        known = [
            {
                "entity": entity,
                "namespace": f"{entity}_key",
                "value": row["source_key"],
                "profile_id": row["profile_id"],
            }
            for entity, rows in ids.items()
            for row in rows
        ]
        given = {f"entities/{entity}": rows for entity, rows in records.items()}
        given |= {f"identity/{entity}_ids": rows for entity, rows in ids.items()} | {"identity/identities": known}
        tables = {name: self.frame(name, given[name]) for name in MATCHED_FROM}
        for name in ("identity/person_ids", "identity/account_ids"):
            tables[name] = self.engine.key64(tables[name].drop("record_key"), {"record_key": "source_key"})
        spoken = nw.concat_str(["namespace", "value"], separator=":")
        spelt = tables["identity/identities"].drop("value_key").with_columns(_spoken=spoken)
        tables["identity/identities"] = self.engine.key64(spelt, {"value_key": "_spoken"})
        rules = IdentityRules(lead_to_account=settings)
        return match_accounts(tables, previous, rules, self.engine, as_of=as_of)

    def found(self, *given, **settings):
        """Return account, whether it is matched, and why not, by person."""
        rows = self.engine.collect(self.match(*given, **settings)).to_pylist()
        return {row["profile_id"]: (row["account_id"], row["is_matched"], row["reason"]) for row in rows}


@pytest.fixture
def matcher(engine):
    return Matcher(engine)


@pytest.mark.parametrize(
    "lead",
    [
        {"email": "ana@mail.acme.example"},
        {"company_website": "http://acme.example/kontakt"},
        {"company_name": "ACME"},
        {"company_name": "Acme AG", "country": "DE", "email": "ana@gmail.com"},
        {"company_name": "acme holding gmbh", "email": "ana@acme.example"},
    ],
)
def test_one_telling_sign_is_enough(matcher, lead):
    assert matcher.found([lead], [ACME, BOLT]) == {0: (100, True, None)}


@pytest.mark.parametrize(
    "lead",
    [
        {"email": "ana@gmail.com"}, {"email": "ana@nowhere.example"}, {"company_name": "n/a"},
        {"company_name": "self-employed", "country": "Germany"}, {"country": "Germany"},
        {"company_website": "https://linkedin.com/company/acme"}, {},
    ],
)  # fmt: skip
def test_what_tells_nothing_matches_nobody(matcher, lead):
    accounts = [ACME, BOLT, {"account_name": "n/a"}, {"account_name": "Self Employed"}, {"website": "gmail.com"}]

    assert matcher.found([lead], accounts) == {}


def test_the_name_alone_of_a_company_elsewhere_is_below_the_threshold(matcher):
    lead = {"company_name": "Acme Ltd", "country": "Japan"}

    assert matcher.found([lead], [ACME]) == {0: (100, False, "below the threshold")}
    assert matcher.found([lead], [ACME], threshold=0.4) == {0: (100, True, None)}


def test_a_mistyped_name_is_enough_only_in_the_country_of_the_account(matcher):
    account = {"account_name": "Northwind Systems", "billing_country": "Germany"}
    lead = {"company_name": "Nortwind Systems Ltd"}

    assert matcher.found([lead], [account]) == {0: (100, False, "below the threshold")}
    assert matcher.found([lead | {"country": "Deutschland"}], [account]) == {0: (100, True, None)}


def test_the_evidence_says_what_agrees_and_the_runner_up_is_kept(matcher, rows):
    lead = {"email": "ana@acme.example", "company_name": "Bolt", "country": "Germany"}

    found = matcher.match([lead], [ACME, BOLT])

    assert rows(found, "account_id", "evidence", "runner_up_id") == [
        (100, "e-mail domain acme.example, country DE", 101)
    ]  # fmt: skip
    [(score, next_score)] = rows(found, "score", "runner_up_score")
    assert 0 < next_score < score < 1


def test_of_accounts_with_one_domain_the_one_of_the_country_or_of_the_name_is_matched(matcher):
    parent = ACME | {"account_name": "Acme"}
    accounts = [
        parent, ACME | {"account_name": "Acme France", "billing_country": "France"},
        ACME | {"account_name": "Acme Bank"},
    ]  # fmt: skip
    mail = {"email": "ana@acme.example"}

    found = matcher.found(
        [
            mail | {"country": "France"},
            mail | {"company_name": "Acme Bank AG"},
            mail | {"company_name": "Acme", "country": "France"},
        ],
        accounts,
    )

    assert found == {0: (101, True, None), 1: (102, True, None), 2: (101, True, None)}


def test_of_equally_likely_accounts_the_parent_of_the_others_is_matched_and_else_none(matcher):
    lead = {"email": "ana@acme.example"}
    family = [ACME, ACME | {"account_name": "Acme Bank", "parent_key": _key("account", 100)}]

    assert matcher.found([lead], family) == {0: (100, True, None)}
    assert matcher.found([lead], [ACME, ACME | {"account_name": "Acme Bank"}]) == {
        0: (100, False, "other accounts are as likely")
    }


def test_a_stated_account_is_never_overridden(matcher):
    of_record = {"email": "ana@acme.example", "account_key": _key("account", 101)}
    of_tie = {"email": "bob@acme.example"}
    tie = {"person_key": _key("person", 1), "account_key": _key("account", 101)}

    assert matcher.found([of_record, of_tie], [ACME, BOLT], [tie]) == {}


def test_an_account_that_a_person_has_left_is_not_matched_but_another_may_be(matcher):
    left = {"person_key": _key("person", 0), "account_key": _key("account", 100), "is_active": False}

    assert matcher.found([{"email": "ana@acme.example"}], [ACME, BOLT], [left]) == {}
    assert matcher.found([{"email": "ana@bolt.example"}], [ACME, BOLT], [left]) == {0: (101, True, None)}


def test_an_account_that_nobody_loaded_is_no_stated_account(matcher):
    lead = {"email": "ana@acme.example", "account_key": "elsewhere@s.S"}

    assert matcher.found([lead], [ACME]) == {0: (100, True, None)}


def test_a_domain_of_very_many_accounts_is_no_sign(matcher):
    tenants = [{"account_name": f"Tenant {n}", "website": "portal.example"} for n in range(30)]

    assert matcher.found([{"email": "ana@portal.example"}], tenants) == {}


def test_a_sign_of_no_weight_is_not_looked_at(matcher):
    lead = {"email": "ana@acme.example"}

    assert matcher.found([lead], [ACME], signals={"email_domain": 0}) == {}


def test_matching_can_be_switched_off(matcher):
    assert matcher.found([{"email": "ana@acme.example"}], [ACME], enabled=False) == {}


def test_a_match_keeps_the_time_when_it_was_first_made(matcher, rows):
    first = matcher.match([{"email": "ana@acme.example"}], [ACME])

    again = matcher.match(
        [{"email": "ana@acme.example"}, {"email": "bob@bolt.example"}], [ACME, BOLT], previous=first,
        as_of=JUNE + dt.timedelta(days=1),
    )  # fmt: skip

    assert rows(again, "profile_id", "matched_at") == [(0, JUNE), (1, JUNE + dt.timedelta(days=1))]


def test_a_match_can_be_told(matcher, engine):
    [row] = engine.collect(matcher.match([{"email": "ana@acme.example"}], [ACME])).to_pylist()

    assert tell_match(row, "Acme") == (
        "No source names an account; matched to Acme: 0.90 by e-mail domain acme.example."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("nortwind systems", "northwind systems"),
        ("orthwind systems", "northwind systems"),
        ("northwind", "northwind systems"),
    ],
)
def test_a_slip_and_a_shortened_name_are_near(typed, meant):
    near = near_names([typed], ["northwind systems", "southwind systems gmbh", "norse bank"])

    assert near["other"][0] == meant


@given(st.sets(st.text("abc ", min_size=1, max_size=12)), st.sets(st.text("abc ", min_size=1, max_size=12)))
def test_near_names_are_near_and_never_known_ones(wanted, known):
    near = near_names(wanted, known)

    assert set(near["stem"]) <= wanted - known
    assert set(near["other"]) <= known
    assert all(0.85 <= similarity <= 1 for similarity in near["similarity"])
