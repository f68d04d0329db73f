"""Values of identities → one form each; what is no identity of anybody is refused, with the reason.

Each row is judged by itself. What depends on how many records carry a value is in ``links.py``.
"""

from typing import NamedTuple

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules, Namespace
from cdp_toolkit.identity.phones import add_e164

_GMAIL = "@(gmail|googlemail)[.]com$"
_ROW = ("entity", "source_key", "record_key", "namespace", "value", "value_key", "seen_at")
_REFUSED = ("entity", "source_key", "record_key", "namespace", "value", "value_key", "reason")
_SPELLING = pa.schema(
    {
        "entity": pa.string(), "namespace": pa.string(), "value": pa.string(), "value_key": pa.int64(),
        "canonical_key": pa.int64(),
    }
)  # fmt: skip


class Values(NamedTuple):
    """Identities in one form, with the ``reason`` of those that identify nobody, and other spellings of them."""

    judged: Frame
    spellings: Frame

    @property
    def kept(self) -> Frame:
        """The identities that may link."""
        return self.judged.filter(nw.col("reason").is_null()).select(*_ROW)

    @property
    def refused(self) -> Frame:
        """Those that identify nobody, with the reason."""
        return self.judged.filter(~nw.col("reason").is_null()).select(*_REFUSED)


def settle_values(identities: Frame, countries: Frame, rules: IdentityRules, engine: Engine) -> Values:
    """Give the values of identities one form, and refuse those that identify nobody.

    Parameters
    ----------
    identities
        One row per record and identity, as ``entities/identities``.
    countries
        One row per record: ``source_key`` and the ``country`` that its phone numbers are read in.
    rules
        Types of the namespaces, and what they block.
    engine
        Hashes; reads phone numbers.

    Returns
    -------
    Values
        ``judged`` has the columns of ``identities`` and the ``reason``. ``spellings`` are the identities as the records wrote them, where
        that differs: ``entity``, ``namespace``, ``value``, ``value_key`` and the ``canonical_key``.
    """
    rewritten = [name for name, rule in rules.namespaces.items() if rule.rewrites]
    is_rewritten = nw.col("namespace").is_in(rewritten)
    kept = identities.select(*_ROW)
    spellings = engine.load(_SPELLING.empty_table())
    unread = None
    if rewritten:
        formed = _formed(kept.filter(is_rewritten), countries, rules, engine)
        read, unread = formed.filter(~nw.col("_form").is_null()), formed.filter(nw.col("_form").is_null())
        spellings = _spellings(read)
        kept = nw.concat([kept.filter(~is_rewritten), _once(read)])
    judged = kept.select(*_ROW, reason=_reason(rules))
    if unread is not None:
        judged = nw.concat([judged, unread.select(*_ROW, reason=nw.lit("not a phone number"))])
    return Values(judged, spellings)


def add_spellings(mapped: Frame, spellings: Frame) -> Frame:
    """Let an identity be found as a record wrote it, too.

    Parameters
    ----------
    mapped
        One row per identity and the ``profile_id`` that it means, as ``identity/identities``.
    spellings
        Of ``settle_values``.

    Returns
    -------
    Frame
        The same rows, and those of other spellings.
    """
    means = mapped.select("entity", "namespace", "profile_id", canonical_key="value_key")
    added = spellings.unique().join(means, on=["entity", "namespace", "canonical_key"], how="inner")
    known = mapped.select("entity", "namespace", "value_key")
    new = added.join(known, on=["entity", "namespace", "value_key"], how="anti")
    return nw.concat([mapped, new.select(*mapped.collect_schema().names())])


def _formed(rows: Frame, countries: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Add the form of each value, ``_form`` and its hash; null where it has none."""
    form = nw.col("value")
    for name, rule in rules.namespaces.items():
        if rule.type == "email" and rule.rewrites:
            form = nw.when(nw.col("namespace") == name).then(_address(rule)).otherwise(form)
    formed = rows.with_columns(_form=form)
    if phones := [name for name, rule in rules.namespaces.items() if rule.type == "phone"]:
        formed = _with_phones(formed, phones, countries, rules, engine)
    spoken = formed.with_columns(_spoken=nw.concat_str([nw.col("namespace"), nw.col("_form")], separator=":"))
    return engine.key64(spoken, {"_form_key": "_spoken"})


def _with_phones(
    rows: Frame, phones: list[str], countries: Frame, rules: IdentityRules, engine: Engine
) -> Frame:  # fmt: skip
    is_phone = nw.col("namespace").is_in(phones)
    region = next((rules.namespace(name).region for name in phones if rules.namespace(name).region), None)
    placed = rows.join(countries.select("source_key", _land="country"), on="source_key", how="left")
    asked = placed.with_columns(_phone=nw.when(is_phone).then(nw.col("value")))
    read = add_e164(asked, "_phone", "_land", "_e164", engine, region=region)
    return read.with_columns(_form=nw.when(is_phone).then(nw.col("_e164")).otherwise(nw.col("_form")))


def _address(rule: Namespace) -> nw.Expr:
    value = nw.col("value")
    mailbox, domain = value.str.replace_all("@.*$", ""), value.str.replace_all("^.*@", "@")
    if rule.plus_tags == "drop":
        mailbox = mailbox.str.replace_all("[+].*$", "")
    if rule.gmail_dots == "drop":
        is_gmail = domain.str.contains(_GMAIL)
        mailbox = nw.when(is_gmail).then(mailbox.str.replace_all("[.]", "")).otherwise(mailbox)
        domain = nw.when(is_gmail).then(nw.lit("@gmail.com")).otherwise(domain)
    return nw.concat_str(mailbox, domain)


def _spellings(read: Frame) -> Frame:
    differs = read.filter(nw.col("_form") != nw.col("value"))
    return differs.select(*_SPELLING.names[:-1], canonical_key="_form_key").unique()


def _once(read: Frame) -> Frame:
    rows = read.select(
        "entity", "source_key", "record_key", "namespace", "seen_at", value="_form", value_key="_form_key"
    )
    once = rows.group_by("entity", "source_key", "record_key", "namespace", "value", "value_key").agg(
        nw.col("seen_at").max()
    )
    return once.select(*_ROW)


def _reason(rules: IdentityRules) -> nw.Expr:
    is_key = nw.col("namespace").str.ends_with("_key")
    cases = [(~is_key & nw.col("value").str.to_lowercase().is_in(rules.placeholders), "a placeholder")]
    cases += [case for name, rule in rules.namespaces.items() for case in _cases(name, rule, rules)]
    found = nw.lit(None, nw.String)
    for holds, reason in reversed(cases):
        found = nw.when(holds).then(nw.lit(reason)).otherwise(found)
    return found


def _cases(name: str, rule: Namespace, rules: IdentityRules) -> list[tuple[nw.Expr, str]]:
    is_own, value = nw.col("namespace") == name, nw.col("value")
    mailbox, domain = value.str.replace_all("[+@].*$", ""), value.str.replace_all("^.*@", "@")
    cases = []
    if rule.type == "email":
        cases.append((is_own & mailbox.is_in(rules.role_mailboxes), "a mailbox of a function or of nobody"))
        cases.append((is_own & domain.is_in(_at(rules.test_domains)), "a test address"))
    if rule.type == "ecid":
        cases.append((is_own & ~value.str.contains("^[0-9]{38}$"), "not an ECID, which has 38 digits"))
    if rule.pattern is not None:
        cases.append((is_own & ~value.str.contains(rule.pattern), f"not like {rule.pattern}"))
    if rule.blocked:
        blocked = [text.lower() for text in rule.blocked]
        forms = (value.str.to_lowercase(), nw.concat_str(mailbox, nw.lit("@")), domain)
        cases.append(
            (is_own & nw.any_horizontal(*(form.is_in(blocked) for form in forms), ignore_nulls=True), "blocked")
        )
    return cases


def _at(domains: tuple[str, ...]) -> list[str]:
    return [f"@{domain.lower()}" for domain in domains]
