"""Identities that no source states and that fields give together: who a record says it is."""

import unicodedata

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.distinct import ask_once
from cdp_toolkit.identity.claims import claimed, joined
from cdp_toolkit.identity.companies import claim_companies
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.phones import add_e164

_SHORTEST_PHONE = 7
# One person writes up to three: a slip, a former name.
_NAMES_OF_AN_OFFICE = 4
_UNSTROKED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
_APOSTROPHES = "'`\u2019\u00b4"


def derive_identities(people: Frame, accounts: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Work identities out of the fields of people and accounts.

    Parameters
    ----------
    people, accounts
        One row per record, as in ``entities/person`` and ``entities/account``; deleted ones say nothing.
    rules
        Which of these identities are wanted.
    engine
        Hashes, and reads phone numbers.

    Returns
    -------
    Frame
        One row per record, ``namespace`` and ``value``, as ``entities/identities``. People: ``name`` (the address
        where there is no name), ``contact_card`` (name, phone and postal code together; at an office with the job title) and, if the rules let it link,
        ``phone``. Accounts: as ``claim_companies``.
    """
    told = [*_claim_people(people, rules, engine), *claim_companies(accounts, engine)]
    spoken = nw.concat(told).with_columns(_spoken=nw.concat_str(["namespace", "value"], separator=":"))
    keyed = engine.key64(spoken, {"record_key": "source_key", "value_key": "_spoken"})
    return keyed.select("entity", "source_key", "record_key", "namespace", "value", "value_key", "seen_at")


def fold(name: str) -> str:
    """Return a name without what people leave out or write otherwise: accents, capitals, punctuation.

    Parameters
    ----------
    name
        First or last name.

    Returns
    -------
    str
        Letters, digits and single blanks.

    Examples
    --------
    >>> fold(" François-René "), fold("O'Connor"), fold("Ørsted"), fold("Groß")
    ('francois rene', 'oconnor', 'orsted', 'gross')
    """
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_UNSTROKED)
    letters = "".join(sign for sign in apart if not unicodedata.combining(sign) and sign not in _APOSTROPHES)
    return " ".join("".join(sign if sign.isalnum() else " " for sign in letters).split())


def describe_people(people: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Add what the names, the phone and the postal code of people mean.

    Parameters
    ----------
    people
        One row per record, as in ``entities/person``.
    rules
        Country that phone numbers are read in where a record names none.
    engine
        Reads the distinct names and numbers.

    Returns
    -------
    Frame
        With ``given`` and ``family`` (names without accents, capitals and punctuation), ``whole_name`` (both, in
        whichever order they came), ``phone`` (E.164, else its digits), ``postcode``, and ``is_office`` (the phone is
        that of a switchboard: several people of other names give it, with the same postal code).
    """
    named = _with_folded(_with_folded(people, "first_name", "given", engine), "last_name", "family", engine)
    phoned = add_e164(named, "work_phone", "country", "_e164", engine, region=rules.namespace("phone").region)
    digits = nw.col("work_phone").str.replace_all("[^0-9]", "")
    is_long = digits.str.len_chars() >= _SHORTEST_PHONE
    given, family = nw.col("given"), nw.col("family")
    known = phoned.with_columns(
        # Forms ask for the two in any order, and people answer in any: the smaller comes first.
        whole_name=nw.when(given <= family).then(joined(given, family)).otherwise(joined(family, given)),
        phone=nw.coalesce(nw.col("_e164"), nw.when(is_long).then(digits)),
        postcode=nw.col("postal_code").str.to_lowercase().str.replace_all("[ -]", ""),
    ).drop("_e164")
    return _with_office(known)


def _claim_people(people: Frame, rules: IdentityRules, engine: Engine) -> list[Frame]:
    known = describe_people(people.filter(~nw.col("is_deleted")), rules, engine)
    # Names alone recur, and so do names at one switchboard: there the job tells them apart.
    card = joined(nw.col("whole_name"), nw.col("phone"), nw.col("postcode"))
    job = nw.col("job_title").str.to_lowercase().str.strip_chars()
    told = {
        "name": nw.coalesce("whole_name", "email"),
        "contact_card": nw.when(nw.col("is_office")).then(joined(card, job)).otherwise(card),
    }
    wanted = {"phone": nw.col("work_phone")} if rules.namespace("phone").links else {}
    return claimed(known, "person", told | wanted)


def _with_office(people: Frame) -> Frame:
    place = ["phone", "postcode"]
    told = people.filter(~nw.col("phone").is_null(), ~nw.col("postcode").is_null())
    names = told.group_by(*place).agg(_names=nw.col("whole_name").n_unique())
    offices = names.filter(nw.col("_names") >= _NAMES_OF_AN_OFFICE).select(*place, _office=nw.lit(True))
    found = people.join(offices, on=place, how="left")
    return found.with_columns(is_office=nw.coalesce(nw.col("_office"), nw.lit(False))).drop("_office")


def _with_folded(people: Frame, name: str, into: str, engine: Engine) -> Frame:
    """Add a folded name; plain letters need no asking, and most names have no others."""
    is_plain = nw.col(name).str.contains("^[A-Za-z ]*$")
    asked = people.with_columns(_odd=nw.when(~is_plain).then(nw.col(name)))
    known = ask_once(asked, ("_odd",), "_folded", fold, engine, where=~nw.col("_odd").is_null())
    plain = nw.col(name).str.to_lowercase().str.replace_all(" +", " ").str.strip_chars()
    said = nw.coalesce(nw.col("_folded"), plain)
    return known.with_columns(nw.when(said != "").then(said).alias(into)).drop("_odd", "_folded")
