"""Links between records → links that contradict nothing.

All links of a namespace are followed at once; only the few components in which a weaker namespace joins different
values of a unique one are taken apart and rebuilt.
"""

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.links import Links
from cdp_toolkit.identity.rebuild import rebuild

_KEPT = pa.schema(
    {
        "entity": pa.string(), "source_key": pa.string(), "record_key": pa.int64(), "hub_key": pa.int64(),
        "namespace": pa.string(), "value": pa.string(),
    }
)  # fmt: skip
_REFUSED = pa.schema({name: pa.string() for name in ("entity", "source_key", "namespace", "value", "reason")})
_SIGNATURE = 2**31


def settle_links(links: Links, identities: Frame, records: Frame, rules: IdentityRules, engine: Engine) -> Links:
    """Refuse the links that would break a unique rule.

    Parameters
    ----------
    links
        What ``link_records`` found, of one entity.
    identities
        One row per record and identity, of the same entity: as ``entities/identities``.
    records
        One row per record: ``source_key``, ``is_deleted``.
    rules
        Priorities and unique namespaces.
    engine
        Finds components.

    Returns
    -------
    Links
        The same links, with the components rebuilt that broke a rule.
    """
    said = engine.collect(identities.select("namespace").unique())["namespace"].to_pylist()
    unique = [name for name in sorted(said) if rules.namespace(name).unique != "none"]
    edges = engine.load(engine.collect(links.kept.select("record_key", "hub_key", "namespace")))
    claims = _claims(identities, records, unique, rules)
    broken = _broken_records(edges, claims, unique, rules, engine)
    if broken is None:
        return links
    carried = identities.join(broken, on="record_key", how="semi")
    linking = [name for name in said if rules.namespace(name).links]
    allowed = carried.filter(nw.col("namespace").is_in(linking)).join(
        links.refused, on=["source_key", "namespace", "value"], how="anti"
    )
    ours = claims.join(broken, on="record_key", how="semi")
    kept, refused = rebuild(engine.collect(allowed).to_pylist(), engine.collect(ours).to_pylist(), rules)
    untouched = links.kept.join(broken, on="record_key", how="anti")
    return Links(
        kept=nw.concat([untouched.select(*_KEPT.names), engine.load(pa.Table.from_pylist(kept, schema=_KEPT))]),
        refused=nw.concat([links.refused, engine.load(pa.Table.from_pylist(refused, schema=_REFUSED))]),
    )


def _claims(identities: Frame, records: Frame, unique: list[str], rules: IdentityRules) -> Frame:
    """Return the values that are to be unique; of record keys only those of live records themselves."""
    rows = identities.filter(nw.col("namespace").is_in(unique))
    live = records.filter(~nw.col("is_deleted")).select("source_key")
    is_key = nw.col("namespace").str.ends_with("_key")
    own = rows.filter(~is_key | (nw.col("value") == nw.col("source_key"))).join(live, on="source_key", how="semi")
    by_instance = [name for name in unique if rules.namespace(name).unique == "instance"]
    instance = nw.when(nw.col("namespace").is_in(by_instance)).then(nw.col("source_key").str.replace_all("^.*@", ""))
    by_group = [name for name in unique if rules.namespace(name).unique == "group"]
    group = nw.when(nw.col("namespace").is_in(by_group)).then(nw.col("value").str.replace_all(r"\|.*$", ""))
    scope = nw.coalesce(instance, group, nw.lit(""))
    return own.select("record_key", "namespace", "value", "value_key", instance=scope)


def _broken_records(
    edges: Frame, claims: Frame, unique: list[str], rules: IdentityRules, engine: Engine
) -> Frame | None:
    """Return the records of all components that break a rule, or None."""
    found = engine.connected_components(edges.select(a="record_key", b="hub_key"))
    broken = [
        _broken_by(claims.filter(nw.col("namespace") == name), _strong(edges, name, rules, engine), found)
        for name in unique
    ]
    if not broken:
        return None
    components = engine.collect(nw.concat(broken).unique())
    if not len(components):
        return None
    kept = found.join(engine.load(components), on="component", how="semi").select(record_key="node")
    return engine.load(engine.collect(kept))


def _strong(edges: Frame, unique: str, rules: IdentityRules, engine: Engine) -> Frame:
    """Return the components that namespaces at least as strong as the unique one make."""
    priority = rules.namespace(unique).priority
    names = [name for name in rules.namespaces if rules.namespace(name).priority <= priority]
    is_strong = nw.col("namespace").is_in(names)
    if priority >= rules.namespace("other_key").priority:
        is_strong |= nw.col("namespace").str.ends_with("_key")
    found = engine.connected_components(edges.filter(is_strong).select(a="record_key", b="hub_key"))
    return found.select(record_key="node", strong="component")


def _broken_by(claims: Frame, strong: Frame, found: Frame) -> Frame:
    """Return the components in which strong ones with different values meet."""
    placed = claims.join(found, left_on="record_key", right_on="node", how="inner").join(
        strong, on="record_key", how="left"
    )
    values = placed.select(
        "component", "instance", "value_key", strong=nw.coalesce("strong", "record_key")
    ).unique(["strong", "instance", "value_key"])  # fmt: skip
    # Sets are compared by three numbers. Two that differ in none of them would have to be different sets of the same
    # ends and the same sum.
    signed = values.group_by("component", "instance", "strong").agg(
        least=nw.col("value_key").min(),
        most=nw.col("value_key").max(),
        total=(nw.col("value_key") % _SIGNATURE).sum().cast(nw.Int64()),
    )
    spans = signed.group_by("component", "instance").agg(
        *(nw.col(name).min().alias(f"{name}_min") for name in ("least", "most", "total")),
        *(nw.col(name).max().alias(f"{name}_max") for name in ("least", "most", "total")),
    )
    differs = [nw.col(f"{name}_min") != nw.col(f"{name}_max") for name in ("least", "most", "total")]
    return spans.filter(nw.any_horizontal(*differs, ignore_nulls=True)).select("component")
