"""What the fields of an account say of which company it is."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.evidence import derive_identities
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import link_records

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
PERSON = ("first_name", "last_name", "email", "work_phone", "postal_code", "country", "job_title")
ACCOUNT = ("account_name", "website", "domain", "billing_country", "parent_key", "duns_number")


@pytest.fixture
def records(engine):
    def build(given, names=ACCOUNT):
        texts = {name: pa.array([row.get(name) for row in given], pa.string()) for name in ("source_key", *names)}
        times = dict.fromkeys(("updated_at", "loaded_at"), pa.array([MAY] * len(given), pa.timestamp("us", "UTC")))
        live = {"is_deleted": pa.array([row.get("is_deleted", False) for row in given], pa.bool_())}
        return engine.load(pa.table(texts | live | times))

    return build


@pytest.fixture
def claims(engine, records, rows):
    def derive(*accounts):
        given = [{"source_key": f"{n}@m.M"} | account for n, account in enumerate(accounts)]
        return rows(
            derive_identities(records([], PERSON), records(given), IdentityRules(), engine), "namespace", "value"
        )

    return derive


@pytest.fixture
def linked(engine, records, rows):
    """Return which records of accounts are linked, by what."""

    def link(**accounts):
        given = [{"source_key": key.replace("_", "@") + ".X"} | account for key, account in accounts.items()]
        every = records(given)
        rules = IdentityRules()
        identities = derive_identities(records([], PERSON), every, rules, engine)
        settled = settle_links(link_records(identities, rules, engine), identities, every, rules, engine)
        return rows(settled.kept, "namespace")

    return link


@pytest.mark.parametrize("website", ["https://www.Acme.example/about?x=1", "acme.example", "http://eu.acme.example:80"])
def test_an_account_is_its_name_with_its_domain_or_country(claims, website):
    acme = {"account_name": "ACME, Inc.", "website": website, "billing_country": "Germany"}

    assert claims(acme) == [
        ("domain", "acme.example"), ("domain_country", "acme.example DE"), ("name_country", "acme DE"),
        ("name_domain", "acme acme.example"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "website",
    ["https://gmail.com", "acme.github.io", "https://www.linkedin.com/company/acme", "co.uk", "none", "10.0.0.1"],
)
def test_a_domain_of_a_provider_is_no_domain_of_a_company(claims, website):
    assert claims({"account_name": "Acme", "website": website}) == []


def test_a_website_serves_where_the_stated_domain_is_a_providers(claims):
    acme = {"domain": "gmail.com", "website": "https://acme.example"}

    assert claims(acme) == [("domain", "acme.example")]


@pytest.mark.parametrize(("number", "claimed"), [("07-512-1334", "075121334"), ("75121334", "075121334")])
def test_a_duns_number_has_nine_digits_however_it_was_written(claims, number, claimed):
    assert claims({"duns_number": number}) == [("duns", claimed)]


@pytest.mark.parametrize("number", ["000000000", "n/a", "1234", "1234567890"])
def test_what_is_no_duns_number_says_nothing(claims, number):
    assert claims({"duns_number": number}) == []


def test_deleted_accounts_say_nothing(claims):
    assert claims({"account_name": "Acme", "domain": "acme.example", "is_deleted": True}) == []


def test_two_spellings_of_a_legal_form_are_one_company(linked):
    one, other = {"account_name": "Müller & Söhne GmbH"}, {"account_name": "MULLER UND SOHNE"}

    by_name = linked(
        a_crm=one | {"domain": "mueller.example"},
        b_mail={**one, "account_name": "Muller & Sohne", "website": "www.mueller.example"},
    )

    assert by_name == ["name_domain"]
    assert linked(a_crm=one | {"billing_country": "DE"}, b_mail=other | {"billing_country": "DE"}) == []


def test_one_duns_number_is_one_company_whatever_it_is_called(linked):
    one = {"account_name": "Acme", "domain": "acme.example", "duns_number": "075121334"}
    other = {"account_name": "Acme Worldwide Holdings", "domain": "acme-holdings.example", "duns_number": "07-512-1334"}

    assert linked(a_crm=one, b_mail=other) == ["duns"]


def test_two_duns_numbers_are_two_companies_even_under_one_name(linked):
    acme = {"account_name": "Acme", "billing_country": "Germany"}

    found = linked(a_crm=acme | {"duns_number": "075121334"}, b_mail=acme | {"duns_number": "075121335"})

    assert found == []


def test_a_domain_links_differently_named_accounts_of_one_country_only(linked):
    one = {"account_name": "Acme", "domain": "acme.example", "billing_country": "Germany"}
    other = {"account_name": "Acme Worldwide", "domain": "acme.example", "billing_country": "Germany"}

    assert linked(a_crm=one, b_mail=other | {"billing_country": "DE"}) == ["domain_country"]
    assert linked(a_crm=one, b_mail=other | {"billing_country": "France"}) == []


def test_a_domain_links_neither_a_subsidiary_nor_one_of_several_accounts_of_a_source(linked):
    parent = {"account_name": "Acme", "domain": "acme.example", "billing_country": "Germany"}
    other = parent | {"account_name": "Acme Services"}

    assert linked(a_crm=parent, b_mail=other | {"parent_key": "1@mail.X"}) == []
    assert linked(a_crm=parent, b_crm=parent | {"account_name": "Acme Bank"}, c_mail=other) == []
