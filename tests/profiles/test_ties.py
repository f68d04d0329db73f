"""Relation rows belong to people, and what two systems tell of one tie is one row."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.profiles.relations import Keys, add_matches, rekey_rows

JUNE = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
ROLE = {"is_deleted": False, "role": "Influencer"}


@pytest.fixture
def rekeyed(engine):
    """Return roles of people on opportunities; what is said to be one is one profile, and its number its id."""

    def rekey(roles, **profiles):
        columns = table("entities/opportunity_person").columns
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
        records = engine.load(
            pa.Table.from_pylist([dict.fromkeys(columns) | ROLE | row for row in roles], schema=schema)
        )
        known = [
            {"entity": entity, "namespace": f"{entity}_key", "_spelt": f"{entity}_key:{key}", "profile_id": number}
            for entity, keys in profiles.items()
            for key, number in keys.items()
        ]
        identities = engine.key64(engine.load(pa.Table.from_pylist(known)), {"value_key": "_spelt"})
        return rekey_rows(records, Model.standard().entity("opportunity_person"), Keys(identities, engine))

    return rekey


def _role(key, person, opportunity, **values):
    return {"source_key": key, "person_key": person, "opportunity_key": opportunity} | values


BOTH = {"person": {"1@m.M": 1, "c@s.S": 1}, "opportunity": {"7@m.M": 7, "o@s.S": 7}}


def test_a_role_that_two_systems_tell_is_one_row_at_home_in_its_own_system(rekeyed, rows):
    home = _role("r@s.S", "c@s.S", "o@s.S", role="Decision Maker")
    copy = _role("5@m.M", "1@m.M", "7@m.M", external_key="r@s.S")

    found = rekeyed([home, copy], **BOTH)

    assert rows(found, "source_key", "profile_id", "opportunity_id", "role") == [("r@s.S", 1, 7, "Decision Maker")]


def test_a_role_told_twice_without_a_key_between_is_one_row(rekeyed, rows):
    found = rekeyed([_role("r@s.S", "c@s.S", "o@s.S"), _role("5@m.M", "1@m.M", "7@m.M")], **BOTH)

    assert rows(found, "profile_id", "opportunity_id", "role") == [(1, 7, "Influencer")]


def test_two_roles_of_a_person_on_one_opportunity_are_two_rows(rekeyed, rows):
    found = rekeyed(
        [_role("r@s.S", "c@s.S", "o@s.S"), _role("5@m.M", "1@m.M", "7@m.M", role="Evaluator")], **BOTH
    )  # fmt: skip

    assert rows(found, "role") == ["Evaluator", "Influencer"]


def test_roles_on_opportunities_that_nobody_loaded_are_all_kept(rekeyed, rows):
    found = rekeyed([_role("r@s.S", "c@s.S", "x@s.S"), _role("q@s.S", "c@s.S", "y@s.S")], **BOTH)

    assert rows(found, "source_key", "opportunity_id") == [("q@s.S", None), ("r@s.S", None)]


def test_rows_that_name_each_other_are_one_and_a_row_that_names_itself_stays(rekeyed, rows):
    mutual = [
        _role("r@s.S", "c@s.S", "o@s.S", external_key="5@m.M", role="A"),
        _role("5@m.M", "1@m.M", "7@m.M", external_key="r@s.S", role="B"),
        _role("6@m.M", "1@m.M", "7@m.M", external_key="6@m.M", role="C"),
    ]

    assert rows(rekeyed(mutual, **BOTH), "source_key") == ["5@m.M", "6@m.M"]


def test_a_copy_that_belongs_to_another_person_is_kept(rekeyed, rows):
    apart = BOTH | {"person": {"1@m.M": 1, "c@s.S": 2}}

    found = rekeyed(
        [_role("r@s.S", "c@s.S", "o@s.S"), _role("5@m.M", "1@m.M", "7@m.M", external_key="r@s.S")], **apart
    )  # fmt: skip

    assert rows(found, "profile_id") == [1, 2]


def test_a_matched_account_is_an_active_tie_that_says_who_found_it(engine, frame, rows):
    entity = Model.standard().entity("account_person")
    schema = {name: arrow_type(field.type) for name, field in entity.recorded.items()}
    schema |= {"profile_id": pa.int64(), "source_key": pa.string(), "account_id": pa.int64()}
    stated = dict.fromkeys(schema) | {"profile_id": 1, "source_key": "t@s.S", "account_id": 9, "role": "Manager"}
    matches = {
        "profile_id": [2, 3], "account_id": [9, 9], "score": [0.9, 0.2], "is_matched": [True, False],
        "matched_at": [JUNE, None],
    }  # fmt: skip

    ties = frame({name: [value] for name, value in stated.items()}, schema)
    found = add_matches(ties, engine.load(pa.table(matches)), entity)

    columns = ("profile_id", "account_id", "role", "is_active", "relationship_source", "matching_score", "roles")
    assert rows(found, *columns) == [
        (1, 9, "Manager", None, None, None, None), (2, 9, None, True, "lead-to-account", 0.9, None)
    ]  # fmt: skip
    assert len(set(rows(found, "source_key"))) == 2
