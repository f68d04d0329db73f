"""Records that share an identity.

Most values are on one record and link nobody, so they leave before anything else: what follows works on keys, and on the
values that at least two records carry.
"""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules

_LINK = ("record_key", "hub_key", "namespace", "value_key")
_TOLD = ("source_key", "record_key", "namespace", "value", "value_key")


class Links(NamedTuple):
    """Links between records, and the identities that were not allowed to make one."""

    kept: Frame
    refused: Frame


def link_records(identities: Frame, rules: IdentityRules, engine: Engine) -> Links:
    """Link each record to the first record that carries the same identity.

    Parameters
    ----------
    identities
        One row per record and identity that ``settle_values`` kept, of one entity: ``source_key``, ``record_key``,
        ``namespace``, ``value``, ``value_key``.
    rules
        Which identities link nobody.
    engine
        Hashes, and keeps the values that are shared.

    Returns
    -------
    Links
        ``kept`` has only keys: ``record_key``, ``hub_key``, ``namespace``, ``value_key``. It is a star around the hub,
        not all pairs: n records give n - 1 rows. ``refused`` has ``source_key``, ``record_key``, ``namespace``,
        ``value``, ``value_key`` and the ``reason``.
    """
    return link_among(identities, carriers_of(identities, engine), rules, engine)


def link_among(own: Frame, carriers: Frame, rules: IdentityRules, engine: Engine) -> Links:
    """Link some records to the first that carry the same identities.

    Parameters
    ----------
    own
        What these records say, as in ``link_records``.
    carriers
        All who carry one of their values, they as well: of ``carriers_of``.
    rules
        Which identities link nobody.
    engine
        Keeps the values that are shared.

    Returns
    -------
    Links
        Those of these records: as ``link_records`` finds them among all.
    """
    is_linking = ~nw.col("namespace").is_in(silent(rules))
    own, carriers = own.filter(is_linking), carriers.filter(is_linking)
    shared = engine.materialise(_shared(carriers))
    refused = engine.materialise(_refused(carriers, shared, rules))
    hubs = shared.join(refused, on="value_key", how="anti").select("value_key", "hub_key")
    kept = own.select("record_key", "namespace", "value_key").join(hubs, on="value_key")
    return Links(
        kept=engine.materialise(kept.filter(nw.col("record_key") != nw.col("hub_key")).select(*_LINK)),
        refused=own.select(*_TOLD).join(refused, on="value_key"),
    )


def carriers_of(identities: Frame, engine: Engine) -> Frame:
    """Return of identities what tells whom they link, without texts.

    Parameters
    ----------
    identities
        One row per record and identity.
    engine
        Hashes.

    Returns
    -------
    Frame
        The same rows: ``value_key``, ``record_key``, ``namespace``, the source ``instance`` of the record, and ``check``, a
        second hash of the value alone, which tells two values with one key.
    """
    # 0.3 s per million records, texts themselves 0.9 s.
    hashed = engine.key64(identities, {"check": "value"})
    return hashed.select("value_key", "record_key", "namespace", "check", instance=instance())


def refuse_values(carriers: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Return the values that link nobody.

    Parameters
    ----------
    carriers
        All who carry some values of namespaces that link, of ``carriers_of``.
    rules
        Which identities link nobody.
    engine
        Keeps the values that are shared.

    Returns
    -------
    Frame
        ``value_key`` and the ``reason``, each value once.
    """
    return _refused(carriers, engine.materialise(_shared(carriers)), rules)


def silent(rules: IdentityRules) -> list[str]:
    """Return the namespaces that link nobody.

    Parameters
    ----------
    rules
        Of the namespaces.

    Returns
    -------
    list of str
        Their names.
    """
    return [name for name, rule in rules.namespaces.items() if not rule.links]


def with_texts(refused: Frame, identities: Frame) -> Frame:
    """Say of refused identities what they are.

    Parameters
    ----------
    refused
        One row per record and value: ``record_key``, ``value_key``, ``reason``.
    identities
        One row per record and identity: ``source_key``, ``record_key``, ``namespace``, ``value``, ``value_key``.

    Returns
    -------
    Frame
        ``source_key``, ``record_key``, ``namespace``, ``value``, ``value_key``, ``reason``.
    """
    reasons = refused.select("record_key", "value_key", "reason")
    return identities.select(*_TOLD).join(reasons, on=["record_key", "value_key"])


def _shared(carriers: Frame) -> Frame:
    """Return the values on several records, with the first of these; of each two hashes are one."""
    counted = carriers.group_by("value_key").agg(
        records=nw.len(),
        hub_key=nw.col("record_key").min(),
        least=nw.col("check").min(),
        most=nw.col("check").max(),
    )
    return counted.filter(nw.col("records") > 1)


def _refused(carriers: Frame, shared: Frame, rules: IdentityRules) -> Frame:
    """Return the shared values that link nobody: ``value_key`` and ``reason``."""
    is_one = nw.col("least") == nw.col("most")
    two = shared.filter(~is_one).select("value_key", reason=nw.lit("two values have the same key"))
    found = [_too_many(carriers, shared.filter(is_one), rules), *_ambiguous(carriers, shared, rules)]
    # Several rules may refuse one value: the reason that sorts first is kept, so that it is the same each time.
    return nw.concat([two, *found]).group_by("value_key").agg(nw.col("reason").min())


def _too_many(carriers: Frame, shared: Frame, rules: IdentityRules) -> Frame:
    own = {name: rule.max_records for name, rule in rules.namespaces.items() if rule.max_records is not None}
    suspects = shared.filter(nw.col("records") > min([rules.max_records, *own.values()]))
    # The keys of records are theirs alone: however many point at one record, they mean that record.
    named = carriers.filter(~nw.col("namespace").str.ends_with("_key")).select("value_key", "namespace").join(
        suspects.select("value_key", "records"), on="value_key"
    ).unique("value_key")  # fmt: skip
    limit, reason = nw.lit(rules.max_records), nw.lit(f"on more than {rules.max_records} records")
    for name, most in own.items():
        is_own = nw.col("namespace") == name
        limit = nw.when(is_own).then(nw.lit(most)).otherwise(limit)
        reason = nw.when(is_own).then(nw.lit(f"on more than {most} records")).otherwise(reason)
    return named.filter(nw.col("records") > limit).select("value_key", reason=reason)


def _ambiguous(carriers: Frame, shared: Frame, rules: IdentityRules) -> list[Frame]:
    found = []
    for name, rule in rules.namespaces.items():
        if (most := rule.max_records_per_instance) is None:
            continue
        own = carriers.filter(nw.col("namespace") == name).join(shared.select("value_key"), on="value_key", how="semi")
        counted = own.group_by("value_key", "instance").agg(records=nw.len())
        found.append(
            counted.filter(nw.col("records") > most).select(
                "value_key", reason=nw.lit(f"ambiguous: on more than {most} records of one source")
            )
        )
    return found


def instance() -> nw.Expr:
    """Return the source instance of a record.

    Returns
    -------
    narwhals.Expr
        What stands behind the last ``@`` of ``source_key``.
    """
    return nw.col("source_key").str.replace_all("^.*@", "")
