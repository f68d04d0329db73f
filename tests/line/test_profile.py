"""A person and an account of the demo world, as an analyst meets them."""

import polars as pl
import pytest

from cdp_toolkit.errors import UnknownNameError


@pytest.fixture(scope="module")
def someone(line):
    """Return a person with several records, an account, segments and visits."""
    member = line.workspace.members("finance_pricing_visitors").select("profile_id")
    people = line.workspace.scan("person").filter(pl.col("records") > 1, pl.col("visits_30d") > 0)
    return line.workspace.profile(people.join(member, on="profile_id").sort("profile_id").collect()["profile_id"][0])


def test_a_person_shows_records_accounts_identities_and_segments(line, someone):
    keys = [row["source_key"] for row in someone.neighbours["components"]]

    assert keys == someone.values["source_keys"]
    assert {row["value"] for row in someone.neighbours["identities"]} >= set(someone.values["emails"])
    accounts = line.workspace.scan("person_account").filter(profile_id=someone.profile_id).collect()["account_id"]
    assert sorted(row["profile_id"] for row in someone.neighbours["accounts"]) == sorted(accounts.to_list())
    assert "finance_pricing_visitors" in [row["segment"] for row in someone.segments if row["status"] == "realized"]


def test_every_value_of_a_person_has_an_origin_and_every_origin_is_the_value(someone):
    told = {each["column"]: each["value"] for each in someone.origins}
    references = {"profile_id", "account_id", "records", "source_keys"}

    assert told == {name: value for name, value in someone.values.items() if name not in references}
    by_column = {each["column"]: each for each in someone.origins}
    assert by_column["visits_30d"]["rule"].startswith("computed: xEvent[")
    assert by_column["emails"]["rule"] == "collected from all records"


def test_the_page_of_a_person_shows_all_of_it(someone):
    shown = someone._repr_html_()

    assert all(f"<h4>{title}</h4>" in shown for title in ("Values", "Records", "Accounts", "Identities", "Segments"))
    assert str(someone).splitlines()[0] == f"person {someone.profile_id}"
    assert "visits_30d" in str(someone)


def test_a_profile_is_masked_until_asked_otherwise(line, someone):
    email, first_name = someone.values["email"], someone.values["first_name"]
    masked, whole = (str(each) + each._repr_html_() + str(each.explain()) for each in (someone, someone.unmasked()))

    assert all(address not in masked for address in someone.values["emails"])
    assert f"first_name: {first_name[0]}•••" in masked
    assert email in whole
    assert f"first_name: {first_name}" in whole
    assert all(f"<td>{key}</td>" in masked for key in someone.values["source_keys"])
    people = line.workspace.scan("person_account").sort("profile_id").collect().row(0, named=True)
    account, address = (
        line.workspace.account(people["account_id"]),
        line.workspace.scan("person").filter(profile_id=people["profile_id"]).collect()["email"][0],
    )
    assert address in account.unmasked()._repr_html_()
    assert address not in account._repr_html_()


def test_an_account_shows_people_opportunities_pipelines_and_roles(line):
    largest = line.workspace.scan("account").sort("open_opportunities", "profile_id").collect().row(-1, named=True)

    account = line.workspace.account(largest["profile_id"])

    people = (
        line.workspace.scan("person_account").filter(account_id=account.profile_id).collect()["profile_id"].to_list()
    )
    assert {row["profile_id"] for row in account.neighbours["people"]} <= set(people)
    assert len(account.neighbours["people"]) == min(len(people), 50)
    assert sum(row["open_opportunities"] for row in account.neighbours["pipelines"]) == largest["open_opportunities"]
    assert all(f"<h4>{title}</h4>" in account._repr_html_() for title in ("Opportunities", "Pipelines", "Roles"))


def test_the_origins_of_all_profiles_are_records_of_theirs(line):
    people = line.workspace.scan("person").select("profile_id", "source_keys", "job_title")
    named = line.workspace.origins("person").select("profile_id", origin="job_title")

    both = people.join(named, on="profile_id").collect()

    assert both.height == line.stitched.counts["people"]
    assert both.filter(pl.col("job_title").is_null() != pl.col("origin").is_null()).is_empty()
    assert both.filter(~pl.col("source_keys").list.contains(pl.col("origin"))).is_empty()


def test_computed_attributes_add_up_from_people_to_accounts(sql):
    wrong = sql.sql("""
        SELECT a.profile_id FROM account a LEFT JOIN (
          SELECT t.account_id, sum(visits_30d) AS visits FROM person JOIN person_account t USING (profile_id) GROUP BY 1
        ) p ON p.account_id = a.profile_id WHERE a.visits_30d_of_people IS DISTINCT FROM coalesce(p.visits, 0)""")

    assert wrong.fetchall() == []
    assert sql.sql("SELECT max(visits_30d_of_people) FROM account").fetchall()[0][0] > 1


def test_an_unknown_merge_policy_is_refused_with_the_nearest(line):
    with pytest.raises(UnknownNameError, match="There is no merge policy 'defualt'") as error:
        line.workspace.scan("person", merge_policy="defualt")

    assert "'default'" in error.value.hint
