"""Records that share an identity."""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.identity.definition import IdentityRules


class Links(NamedTuple):
    """Links between records, and the identities that were not allowed to make one."""

    kept: Frame
    refused: Frame


def link_records(identities: Frame, rules: IdentityRules) -> Links:
    """Link each record to the first record that carries the same identity.

    Parameters
    ----------
    identities
        One row per record and identity that ``settle_values`` kept: ``entity``, ``source_key``, ``record_key``,
        ``namespace``, ``value``, ``value_key``.
    rules
        Which identities link nobody.

    Returns
    -------
    Links
        ``kept`` is a star around the hub, not all pairs: n records give n - 1 rows. ``refused`` has a reason a row.
    """
    identity = ("entity", "namespace", "value_key")
    silent = [name for name, rule in rules.namespaces.items() if not rule.links]
    shared = (
        identities.filter(~nw.col("namespace").is_in(silent))
        .with_columns(hub_key=nw.col("record_key").min().over(*identity), records=nw.len().over(*identity))
        .filter(nw.col("records") > 1)
        .with_columns(instance=nw.col("source_key").str.replace_all("^.*@", ""))
        .with_columns(in_instance=nw.len().over(*identity, "instance"))
        .with_columns(in_instance=nw.col("in_instance").max().over(*identity))
    )
    judged = shared.with_columns(reason=_reason(rules))
    kept = judged.filter(nw.col("reason").is_null() & (nw.col("record_key") != nw.col("hub_key")))
    return Links(
        kept=kept.select("entity", "source_key", "record_key", "hub_key", "namespace", "value"),
        refused=judged.filter(~nw.col("reason").is_null()).select(
            "entity", "source_key", "namespace", "value", "reason"
        ),
    )


def _reason(rules: IdentityRules) -> nw.Expr:
    # The keys of records are theirs alone: however many point at one record, they mean that record.
    cases = [(nw.col("namespace").str.ends_with("_key"), nw.lit(None, nw.String))]
    for name, rule in rules.namespaces.items():
        is_own = nw.col("namespace") == name
        if (most := rule.max_records_per_instance) is not None:
            is_ambiguous = is_own & (nw.col("in_instance") > most)
            cases.append((is_ambiguous, nw.lit(f"ambiguous: on more than {most} records of one source")))
        if rule.max_records is not None:
            reason = nw.lit(f"on more than {rule.max_records} records")
            cases += [(is_own & (nw.col("records") > rule.max_records), reason)]
    own_limit = [name for name, rule in rules.namespaces.items() if rule.max_records is not None]
    is_too_many = ~nw.col("namespace").is_in(own_limit) & (nw.col("records") > rules.max_records)
    cases.append((is_too_many, nw.lit(f"on more than {rules.max_records} records")))
    return _first(cases)


def _first(cases: list[tuple[nw.Expr, nw.Expr]]) -> nw.Expr:
    """Return the value of the first case that holds, else null."""
    found = nw.lit(None, nw.String)
    for holds, value in reversed(cases):
        found = nw.when(holds).then(value).otherwise(found)
    return found
