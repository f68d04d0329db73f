"""Links between records → links that contradict nothing, and the components that they make.

Only where a weak namespace joins what stronger ones have left apart can a unique rule be broken. The few components in
which such parts carry different values are taken apart, and their weak links are tried one value after the other.
"""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.growth import grow, priority
from cdp_toolkit.identity.links import Links, with_texts
from cdp_toolkit.identity.rebuild import rebuild
from cdp_toolkit.identity.unique import Claims, broken_components, find_claims, find_members

_LINK = ("record_key", "hub_key", "namespace", "value_key")


class Graph(NamedTuple):
    """Links that contradict nothing, those refused, and what the first make one.

    ``components`` has a row per record of ``clusters``: ``record_key`` and the smallest key of its ``component``.
    ``clusters`` has a row per record with a link: ``record_key`` and the ``cluster`` that it would be in, had no link been
    refused.
    """

    kept: Frame
    refused: Frame
    components: Frame
    clusters: Frame


def settle_links(links: Links, identities: Frame, records: Frame, rules: IdentityRules, engine: Engine) -> Graph:
    """Refuse the links that would break a unique rule.

    Parameters
    ----------
    links
        What ``link_records`` found.
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
    Graph
        The same links, but those in components that broke a rule, which are rebuilt without the links that break it.
    """
    ranked = links.kept.with_columns(priority=priority(rules))
    claims = find_claims(identities, records, rules, engine)
    grown = grow(ranked, claims.levels, engine)
    broken = broken_components(grown, claims, engine)
    labels = grown[-1].labels
    graph = Graph(links.kept, links.refused, labels, labels.select("record_key", cluster="component"))
    if not len(engine.collect(broken.head(1))):
        return graph
    members = engine.materialise(find_members(broken, grown[-1], grown[0]))
    weak = ranked.filter(nw.col("priority") > claims.levels[0])
    return _rebuilt(graph, weak, members, claims, engine)


def _rebuilt(graph: Graph, weak: Frame, members: Frame, claims: Claims, engine: Engine) -> Graph:
    """Try the weak links of some records anew; their parts are what stronger links make one in any case."""
    own = weak.join(members, on="record_key", how="semi")
    values = engine.materialise(own.select("value_key", "priority").unique("value_key"))
    carriers = engine.materialise(_carriers(values, members, claims.identities))
    done = rebuild(
        engine.collect(_across(carriers)), engine.collect(claims.of(members).drop("component")), claims.rules
    )
    out = engine.materialise(carriers.join(engine.load(done.refused), on=["value_key", "part"]))
    left = graph.kept.join(values, on="value_key", how="anti").select(*_LINK)
    others = graph.components.join(members, on="record_key", how="anti").select("record_key", "component")
    return graph._replace(
        kept=engine.materialise(nw.concat([left, _stars(carriers, out)])),
        refused=nw.concat([graph.refused, with_texts(out, claims.identities)]),
        components=engine.materialise(nw.concat([others, _relabelled(members, engine.load(done.joined))])),
    )


def _carriers(values: Frame, members: Frame, identities: Frame) -> Frame:
    said = identities.select("record_key", "namespace", "value_key", "seen_at")
    parts = members.select("record_key", "part")
    return said.join(values, on="value_key").join(parts, on="record_key")


def _across(carriers: Frame) -> Frame:
    """Return the values that several parts carry, once a part: when each part and any of them was last seen with it."""
    seen = carriers.group_by("value_key", "priority", "part").agg(nw.col("seen_at").max())
    shared = seen.group_by("value_key").agg(parts=nw.len(), last_seen_at=nw.col("seen_at").max())
    return seen.join(shared.filter(nw.col("parts") > 1), on="value_key").drop("parts")


def _stars(carriers: Frame, refused: Frame) -> Frame:
    """Return the links between those who carry a value and were not refused."""
    keys = ["value_key", "record_key"]
    linked = carriers.join(refused.select(*keys), on=keys, how="anti")
    hubs = linked.group_by("value_key").agg(hub_key=nw.col("record_key").min())
    return linked.join(hubs, on="value_key").filter(nw.col("record_key") != nw.col("hub_key")).select(*_LINK)


def _relabelled(members: Frame, joined: Frame) -> Frame:
    """Return which component the rebuilt links put each member in."""
    placed = members.select("record_key", "part").join(joined, on="part", how="left")
    return placed.select("record_key", component=nw.coalesce("component", "part"))
