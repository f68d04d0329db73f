"""The platforms' own examples, and what none of them may ever be sent."""

import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.connectors.google.identifiers import identifiers
from cdp_toolkit.connectors.hashing import countries
from cdp_toolkit.connectors.linkedin.elements import COMPANY_FIELDS, companies, people
from cdp_toolkit.connectors.meta.keys import keys

FIELDS = (
    "email", "phone", "first_name", "last_name", "city", "state", "postal_code", "country", "birth_date", "job_title",
    "company",
)  # fmt: skip
DIGEST = "^[0-9a-f]{64}$"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def person(**values):
    return people_of([values])


def people_of(rows):
    return pl.DataFrame([dict.fromkeys(FIELDS) | row for row in rows], schema=dict.fromkeys(FIELDS, pl.String))


# developers.google.com/data-manager/api/devguides/concepts/formatting, and the tests of Google's own formatter
@pytest.mark.parametrize(
    ("written", "hashed"),
    [
        ("cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("Jefferson.LOVES.Hiking@googlemail.com", "jeffersonloveshiking@googlemail.com"),
        ("QuinnY@EXAMPLE.com", "quinny@example.com"),
        ("  alexz@EXAMPLE.com   ", "alexz@example.com"),
        ("a.b@gmail.com.example.org", "a.b@gmail.com.example.org"),
        ("spaced out@example.com", "spacedout@example.com"),
    ],
)
def test_google_is_told_an_address_without_blanks_and_only_at_gmail_without_dots_and_plus(written, hashed):
    told = identifiers(person(email=written), None)

    assert told["email"].to_list() == [sha256(hashed)]


def test_google_gets_the_digests_that_its_own_library_gives():
    told = identifiers(
        person(email="ALEXZ@example.com", phone="1-800-555-0100", first_name=" GivenName ", last_name="FamilyName",
               country=" us", postal_code=" 1229-076 "),
        "US",
    ).row(0, named=True)  # fmt: skip

    assert told == {
        "email": "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a",
        "phone": "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
        "given_name": "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814",
        "family_name": "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574",
        "region_code": "US",
        "postal_code": "1229-076",
    }


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("(800)555-0100", "US", "+18005550100"),
        ("1 800 555 0100", "United States", "+18005550100"),
        ("+44-113-496-0987", None, "+441134960987"),
        ("+49 (0)30 2093-1234", None, "+493020931234"),
        ("030 2093 1234", "Deutschland", "+493020931234"),
        ("800.555.0100", None, "+18005550100"),
    ],
)
def test_a_phone_number_is_e164_with_a_plus_at_google_and_without_at_meta(written, country, number):
    row = person(phone=written, country=country)

    assert identifiers(row, "US")["phone"].to_list() == [sha256(number)]
    assert keys(row, "US")["PHONE"].to_list() == [sha256(number.removeprefix("+"))]


def test_google_hashes_names_without_titles_and_neither_country_nor_postal_code():
    row = person(first_name="Mrs. Mary Ann", last_name="O'Neil, Jr.", country="Germany", postal_code="10115")

    told = identifiers(row, None).row(0, named=True)

    assert (told["given_name"], told["family_name"]) == (sha256("mary ann"), sha256("o'neil"))
    assert (told["region_code"], told["postal_code"]) == ("DE", "10115")


def test_an_address_at_google_is_whole_or_left_out():
    told = identifiers(people_of([{"first_name": "Mary", "last_name": "Li", "country": "US"}]), None)

    assert told.select("given_name", "family_name", "region_code", "postal_code").row(0) == (None, None, None, None)


def test_meta_gets_the_digest_that_its_page_shows():
    told = keys(person(email=" Mary@Example.com"), None)

    assert told["EMAIL"].to_list() == ["f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"]


def test_meta_keeps_dots_and_plus_of_every_address():
    told = keys(person(email="a.b.c+x@gmail.com"), None)

    assert told["EMAIL"].to_list() == [sha256("a.b.c+x@gmail.com")]


@pytest.mark.parametrize(
    ("field", "key", "written", "hashed"),
    [
        ("first_name", "FN", "Mary-Ann", "maryann"),
        ("last_name", "LN", "O'Neil", "oneil"),
        ("first_name", "FN", "Vale\u0301ry", "valéry"),
        ("last_name", "LN", "정", "정"),
        ("city", "CT", "St. Gallen", "stgallen"),
        ("state", "ST", "C.A.", "ca"),
        ("postal_code", "ZIP", "94035-1234", "94035"),
        ("postal_code", "ZIP", "SW1A 1AA", "sw1a1aa"),
        ("postal_code", "ZIP", "1229-076", "1229076"),
        ("country", "COUNTRY", "USA", "us"),
        ("birth_date", "DOBY", "1990-01-09", "1990"),
        ("birth_date", "DOBM", "1990-01-09", "01"),
        ("birth_date", "DOBD", "1990-01-09", "09"),
    ],
)
def test_meta_is_told_lower_case_without_punctuation(field, key, written, hashed):
    told = keys(person(**{field: written}), None)

    assert told[key].to_list() == [sha256(hashed)]


def test_linkedin_is_told_an_address_in_lower_case_without_blanks_and_nothing_else_hashed():
    told = people(person(email=" Mary@Example.com ", first_name=" Mary "))

    assert told.select("email", "firstName").row(0) == (sha256("mary@example.com"), "Mary")


@pytest.mark.parametrize(
    ("domain", "website", "told"),
    [
        ("Acme.example", "https://other.example", "acme.example"),
        (None, "https://www.Acme.example/en?x=1", "acme.example"),
        (None, "acme.example", "acme.example"),
        ("", "n/a", None),
    ],
)
def test_linkedin_is_told_a_company_by_its_domain_or_that_of_its_website(domain, website, told):
    row = dict.fromkeys(COMPANY_FIELDS) | {"domain": domain, "website": website}

    given = companies(pl.DataFrame([row], schema=dict.fromkeys(COMPANY_FIELDS, pl.String)))

    assert given["companyWebsiteDomain"].to_list() == [told]


@pytest.mark.parametrize("told", [lambda row: identifiers(row, "US")["email"], lambda row: keys(row, "US")["EMAIL"],
                                  lambda row: people(row)["email"]])  # fmt: skip
def test_a_digest_passes_and_what_cannot_be_an_address_is_left_out(told):
    digest = sha256("mary@example.com")
    written = [digest.upper(), "n/a", "", "   ", None, "a@b", "@example.com", "two@at@example.com"]

    given = told(people_of([{"email": each} for each in written]))

    assert given.to_list() == [digest, *[None] * 7]


texts = (
    st.none() | st.text(max_size=20) | st.sampled_from(["", " ", "\u200b", "...@gmail.com", "+@gmail.com", "+", "0"])
)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, texts)), min_size=1, max_size=5))
def test_whatever_is_written_nobody_is_sent_the_digest_of_nothing(rows):
    written = people_of(rows)
    google, meta = identifiers(written, "US"), keys(written, "US")

    plain = {"region_code", "postal_code"}
    digests = [google[each] for each in google.columns if each not in plain] + meta.get_columns()
    digests.append(people(written)["email"])
    assert len(google) == len(meta) == len(rows)
    assert all(column.drop_nulls().str.contains(DIGEST).all() for column in digests)
    assert all(sha256("") not in column for column in digests)


def test_one_bad_value_leaves_the_others_of_its_batch_alone():
    good = person(email="mary@example.com", phone="+18005550100", country="US")
    bad = person(email="\x00", phone="call me", country="Atlantis")

    told = identifiers(pl.concat([good, bad, good]), "US")

    assert told["email"].to_list() == [sha256("mary@example.com"), None, sha256("mary@example.com")]
    assert told["phone"].to_list() == [sha256("+18005550100"), None, sha256("+18005550100")]


def test_a_country_that_nobody_wrote_is_the_usual_one_and_one_that_is_unknown_is_none():
    assert countries(pl.Series(["France", None, "", "Atlantis"]), "DE").to_list() == ["FR", "DE", "DE", None]
