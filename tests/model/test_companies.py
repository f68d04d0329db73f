"""Names and domains of companies, as sources and people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.model.companies import company_domain, company_family, company_stem


@pytest.mark.parametrize(
    "name",
    [
        "Acme", "ACME GmbH", "Acme, Inc.", "The Acme Corporation", "Acme S.A.", "Acme A/S", "Acme Pty. Ltd.", "acme  ltda",
        "Acme G.m.b.H. & Co. KG", "Acme Sp. z o.o.", "Ácme s. r. o.", "Acme S.p.A.", "OOO Acme",
        "Acme S.A. de C.V.", "Acme K.K.", "Acme Co., Ltd.",
    ],
)  # fmt: skip
def test_the_stem_of_a_name_has_no_legal_form(name):
    assert company_stem(name) == "acme"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("AG", "ag"), ("Société Générale", "societe generale"), ("Łódź Łąka", "lodz laka"), ("Coca-Cola", "coca cola"),
        ("O'Reilly", "oreilly"), ("Smith, Jones & Co", "smith jones"), ("株式", "株式"), ("...", None), ("", None),
    ],
)  # fmt: skip
def test_the_stem_keeps_what_tells_companies_apart(name, stem):
    assert company_stem(name) == stem


@given(st.text(max_size=40))
def test_a_stem_is_its_own_stem(name):
    stem = company_stem(name)

    assert stem is None or company_stem(stem) == stem


@pytest.mark.parametrize(
    "name", ["Acme Germany GmbH", "Acme (United Kingdom) Ltd", "Acme North America, Inc.", "Acme US"]
)
def test_a_family_has_no_place_in_its_name(name):
    assert company_family(name) == "acme"


@pytest.mark.parametrize("name", ["Hong Kong", "Germany"])
def test_a_company_that_is_called_like_a_place_keeps_its_name(name):
    assert company_family(name) == name.lower()


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("https://www.acme.co.uk/x", "acme.co.uk"), ("ana@mail.acme.com", "acme.com"), ("ACME.com.", "acme.com"),
        ("www.müller.de", "xn--mller-kva.de"), ("http://acme.com:8080?x", "acme.com"),
        ("gmail.com", None), ("ana@yahoo.co.uk", None), ("acme.wixsite.com", None), ("localhost", None), ("a..b", None),
        ("10.0.0.1", None), ("co.uk", None), ("", None), ("https://facebook.com/acme", None),
    ],
)  # fmt: skip
def test_a_domain_is_what_the_company_has_registered(address, domain):
    assert company_domain(address) == domain


@given(st.text(max_size=40))
def test_no_text_is_too_odd_for_a_domain(address):
    domain = company_domain(address)

    assert domain is None or company_domain(domain) == domain
