"""What the records of a lake say of themselves, in pandas: the table ``identity/evidence``; for ``pandas_identity``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.companies import read_country
from cdp_toolkit.identity.countries import country_code
from cdp_toolkit.identity.evidence import _NAMES_OF_AN_OFFICE, _SHORTEST_PHONE, fold
from cdp_toolkit.identity.phones import _WRITTEN_WHOLE, _trunk_zero, e164
from cdp_toolkit.model.companies import company_domain, company_stem, duns_number
from cdp_toolkit.profiles.build import PROFILES

Frame = pd.DataFrame
Text = pd.Series
Numbers = Any  # a NumPy array of integers
Read = Callable[[str, Sequence[str]], Frame]

_SEEN = ("source_key", "is_deleted", "updated_at", "loaded_at")
_FIELDS = {
    "person": ("first_name", "last_name", "work_phone", "postal_code", "country", "email", "job_title"),
    "account": ("account_name", "domain", "website", "billing_country", "duns_number", "parent_key"),
}
_STATED = ("entity", "source_key", "record_key", "namespace", "value", "value_key", "seen_at")


def tell(read: Read, rules: IdentityRules, namespaces: Sequence[str]) -> tuple[Frame, dict[str, Frame]]:
    """Return what records state and what their fields say together, and the records of each entity by their keys."""
    kinds = {
        "entity": pd.CategoricalDtype(PROFILES),
        "namespace": pd.CategoricalDtype(list(dict.fromkeys([*namespaces, *rules.namespaces]))),
    }
    stated = read("identities", _STATED).astype(kinds)
    records = {name: _keyed(read(name, (*_SEEN, *_FIELDS.get(name, ()))), stated, name) for name in PROFILES}
    said = {"person": _of_people(records["person"]), "account": _of_accounts(records["account"])}
    derived = pd.concat([rows for entity in said for rows in _claimed(records[entity], entity, said[entity])])
    derived["value_key"] = hashed(derived["namespace"] + ":" + derived["value"])
    told = pd.concat([stated, derived.astype(kinds)]).sort_values("record_key", ignore_index=True)
    return told.assign(reason=_reasons(told, rules)), records


def asked(text: Text, answer: Callable[[str], str | None]) -> Text:
    """Return what a function says of texts, asking once for each that occurs."""
    codes, texts = pd.factorize(text)
    answers = pd.array([answer(each) for each in texts], dtype="str")
    return pd.Series(answers.take(codes, allow_fill=True), index=text.index)


def hashed(text: Text) -> Numbers:
    """Return keys of texts: 63 bits that are not negative."""
    return (pd.util.hash_pandas_object(text, index=False).to_numpy() & (2**63 - 1)).astype(np.int64)


def _keyed(records: Frame, stated: Frame, entity: str) -> Frame:
    """Add the key that the load gave each record, and put the records in the order of their keys."""
    own = stated[stated["namespace"] == f"{entity}_key"]
    own = own[own["value"] == own["source_key"]]
    keyed = records.merge(own[["source_key", "record_key"]], on="source_key")
    return keyed.astype({"is_deleted": bool}).sort_values("record_key", ignore_index=True)


def _claimed(records: Frame, entity: str, values: Mapping[str, Text]) -> Iterator[Frame]:
    seen_at = records["updated_at"].fillna(records["loaded_at"])
    known = records[["source_key", "record_key"]].assign(entity=entity, seen_at=seen_at)
    for namespace, value in values.items():
        yield known.assign(namespace=namespace, value=value)[value.notna() & ~records["is_deleted"]]


def _of_people(people: Frame) -> dict[str, Text]:
    live = people[~people["is_deleted"]]
    given, family = (asked(live[name], lambda text: fold(text) or None) for name in ("first_name", "last_name"))
    name = (given + " " + family).where(given <= family, family + " " + given)
    digits = live["work_phone"].str.replace("[^0-9]", "", regex=True)
    phone = _e164(live, digits).fillna(digits.where(digits.str.len() >= _SHORTEST_PHONE))
    postcode = live["postal_code"].str.lower().str.replace("[ -]", "", regex=True)
    place = phone + " " + postcode
    # An office is where people of several names are.
    names = (
        pd.DataFrame({"place": place, "name": name}).dropna(subset="place").drop_duplicates()["place"].value_counts()
    )
    is_office = place.isin(names.index[names >= _NAMES_OF_AN_OFFICE])
    card = name + " " + place
    job = live["job_title"].str.lower().str.strip()
    told = {"name": name.fillna(live["email"]), "contact_card": (card + " " + job).where(is_office, card)}
    return {namespace: value.reindex(people.index) for namespace, value in told.items()}


def _e164(people: Frame, digits: Text) -> Text:
    """Return phone numbers in one form: those with the code of a country as they are, others by asking."""
    phone = people["work_phone"]
    is_whole = phone.str.contains(_WRITTEN_WHOLE) & ~phone.str.contains(_trunk_zero().replace("(", "(?:"))
    pairs = (phone + "\t" + people["country"].fillna(""))[~is_whole]
    read = asked(pairs, lambda pair: e164(pair.partition("\t")[0], country_code(pair.partition("\t")[2])))
    return ("+" + digits).where(is_whole).fillna(read)


def _of_accounts(accounts: Frame) -> dict[str, Text]:
    stem, land = asked(accounts["account_name"], company_stem), asked(accounts["billing_country"], read_country)
    domain = asked(accounts["domain"], company_domain).fillna(asked(accounts["website"], company_domain))
    return {
        "duns": asked(accounts["duns_number"], duns_number),
        "domain": domain,
        "name_domain": stem + " " + domain,
        "name_country": stem + " " + land,
        "domain_country": (domain + " " + land).where(accounts["parent_key"].isna()),
    }


def _reasons(told: Frame, rules: IdentityRules) -> Text:
    found = np.full(len(told), None, object)
    for name in told["namespace"].unique():
        value = told.loc[told["namespace"] == name, "value"]
        refused: list[tuple[str, Any]] = []  # the last word counts
        if rules.namespace(name).type == "ecid":
            refused.append(("not an ECID, which has 38 digits", ~value.str.contains("^[0-9]{38}$")))
        if rules.namespace(name).type == "email":
            domain, mailbox = (value.str.replace(part, "", regex=True) for part in ("^.*@", "[+@].*$"))
            refused.append(("a test address", domain.isin([each.lower() for each in rules.test_domains])))
            refused.append(("a mailbox of a function or of nobody", mailbox.isin(rules.role_mailboxes)))
        if not name.endswith("_key"):
            refused.append(("a placeholder", value.str.lower().isin(rules.placeholders)))
        for reason, is_refused in refused:
            found[value.index[is_refused]] = reason
    return pd.Series(found, dtype="str")
