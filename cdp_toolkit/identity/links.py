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
        One row per record and identity: ``entity``, ``source_key``, ``record_key``, ``namespace``, ``value``,
        ``value_key``.
    rules
        Which identities link nobody.

    Returns
    -------
    Links
        ``kept`` is a star around the hub, not all pairs: n records give n - 1 rows. ``refused`` has a reason a row.
    """
    identity = ("entity", "namespace", "value_key")
    sized = identities.with_columns(
        hub_key=nw.col("record_key").min().over(*identity), records=nw.len().over(*identity)
    ).filter(nw.col("records") > 1)
    # The keys of records are theirs alone: however many point at one record, they mean that record.
    is_key = nw.col("namespace").str.ends_with("_key")
    mailbox = nw.col("value").str.replace_all("@.*", "")
    reason = (
        nw.when(is_key)
        .then(nw.lit(None, nw.String))
        .when((nw.col("namespace") == "email") & mailbox.is_in(rules.role_mailboxes))
        .then(nw.lit("a mailbox of a function or of nobody"))
        .when(nw.col("records") > rules.max_records)
        .then(nw.lit(f"on more than {rules.max_records} records"))
    )
    judged = sized.with_columns(reason=reason)
    kept = judged.filter(nw.col("reason").is_null() & (nw.col("record_key") != nw.col("hub_key")))
    return Links(
        kept=kept.select("entity", "source_key", "record_key", "hub_key", "namespace", "value"),
        refused=judged.filter(~nw.col("reason").is_null()).select(
            "entity", "source_key", "namespace", "value", "reason"
        ),
    )
