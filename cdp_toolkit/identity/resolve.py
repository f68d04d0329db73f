"""Identities of one entity → links that contradict nothing, and what they could have made one."""

from typing import NamedTuple

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import Links, link_records


class Resolved(NamedTuple):
    """Links, refused links, and the ``clusters`` that they were before any was refused."""

    kept: Frame
    refused: Frame
    clusters: Frame


def resolve(
    identities: Frame, records: Frame, rules: IdentityRules, engine: Engine, *, only: Frame | None = None
) -> Resolved:
    """Find the links of one entity.

    Parameters
    ----------
    identities
        One row per record and identity, as ``entities/identities``.
    records
        One row per record: ``source_key``, ``is_deleted``.
    rules
        Which identities link, and which values are to be unique.
    engine
        Finds components.
    only
        The records to link, ``record_key`` and ``source_key``, where no others can change; all by default. Whether a
        value is on too many records is still told by all that carry it.

    Returns
    -------
    Resolved
        Links and refused links of these records. Records of one cluster can only become one with each other, whatever
        the rules refuse: what does not touch a cluster does not change it.
    """
    if only is None:
        found, own = link_records(identities, rules), identities
    else:
        own = _stored(identities.join(only, on="record_key", how="semi"), engine)
        found = link_records(_carriers(identities, own, engine), rules)
        found = Links(
            found.kept.join(only, on="record_key", how="semi"), found.refused.join(only, on="source_key", how="semi")
        )
        records = records.join(only, on="source_key", how="semi")
    clusters = engine.connected_components(found.kept.select(a="record_key", b="hub_key"))
    settled = settle_links(found, own, records, rules, engine)
    names = own.select("record_key", "source_key").unique("record_key")
    clusters = clusters.select(record_key="node", cluster="component").join(names, on="record_key", how="inner")
    return Resolved(settled.kept, settled.refused, clusters.select("source_key", "record_key", "cluster"))


def _carriers(identities: Frame, own: Frame, engine: Engine) -> Frame:
    """Return all rows with a value that one of our own carries."""
    values = own.select("namespace", "value_key").unique()
    return _stored(identities.join(values, on=["namespace", "value_key"], how="semi"), engine)


def _stored(frame: Frame, engine: Engine) -> Frame:
    return engine.load(engine.collect(frame))
