"""Identities of one entity → links that contradict nothing, and what they could have made one."""

from typing import NamedTuple

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import carriers_of, link_among


class Resolved(NamedTuple):
    """Links, refused links, the ``components`` of the first, and the ``clusters`` before any was refused."""

    kept: Frame
    refused: Frame
    components: Frame
    clusters: Frame


def resolve(
    identities: Frame, records: Frame, rules: IdentityRules, engine: Engine, *, carriers: Frame | None = None
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
    carriers
        Where these records are whole clusters and not all there are: all who carry one of their values, of
        ``carriers_of``, by whom it is told whether a value is on too many records.

    Returns
    -------
    Resolved
        Links and refused links of these records. Records of one cluster can only become one with each other, whatever
        the rules refuse: what does not touch a cluster does not change it.
    """
    among = carriers_of(identities, engine) if carriers is None else carriers
    graph = settle_links(link_among(identities, among, rules, engine), identities, records, rules, engine)
    return Resolved(graph.kept, graph.refused, graph.components, graph.clusters)
