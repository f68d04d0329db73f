"""Identities of one entity → links that contradict nothing, and what they could have made one."""

from typing import NamedTuple

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import Links, link_records


class Resolved(NamedTuple):
    """Links, refused links, the ``components`` of the first, and the ``clusters`` before any was refused."""

    kept: Frame
    refused: Frame
    components: Frame
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
        One row per record: ``source_key``, ``record_key``, ``is_deleted``.
    rules
        Which identities link, and which values are to be unique.
    engine
        Finds components.
    only
        The records to link, ``record_key``, where no others can change; all by default. Whether a
        value is on too many records is still told by all that carry it.

    Returns
    -------
    Resolved
        Links and refused links of these records. Records of one cluster can only become one with each other, whatever
        the rules refuse: what does not touch a cluster does not change it.
    """
    if only is None:
        found, own = link_records(identities, rules, engine), identities
    else:
        # Keys first: what our own records say is among what all carriers of their values say.
        values = engine.materialise(engine.among(identities, "record_key", only).select("value_key").unique())
        carriers = engine.materialise(engine.among(identities, "value_key", values))
        own = engine.materialise(engine.among(carriers, "record_key", only))
        found = link_records(carriers, rules, engine)
        found = Links(*(frame.join(only, on="record_key", how="semi") for frame in found))
        records = engine.among(records, "record_key", only)
    graph = settle_links(found, own, records, rules, engine)
    return Resolved(graph.kept, graph.refused, graph.components, graph.clusters)
