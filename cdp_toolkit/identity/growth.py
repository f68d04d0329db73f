"""Links → components, from the strongest links to the weakest, each search going on with what the one before put together.

All searches together cost little more than one: of weaker links only those are left that join different components.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules

_WEAKEST = 2**31 - 1


class Grown(NamedTuple):
    """Components of links down to a level.

    ``labels`` has a row per linked record: ``record_key``, ``component``; ``joined`` the ``record_key`` of components that
    this level has made one with others.
    """

    labels: Frame
    joined: Frame


def priority(rules: IdentityRules) -> nw.Expr:
    """Return the priority of a link.

    Parameters
    ----------
    rules
        Priorities of namespaces.

    Returns
    -------
    narwhals.Expr
        Of the column ``namespace``; the lower, the stronger.
    """
    named = nw.col("namespace")
    key, other = (nw.lit(rules.namespace(name).priority) for name in ("other_key", "other"))
    found = nw.when(named.str.ends_with("_key")).then(key).otherwise(other)
    for name, rule in rules.namespaces.items():
        found = nw.when(named == name).then(nw.lit(rule.priority)).otherwise(found)
    return found


def grow(links: Frame, levels: Sequence[int], engine: Engine) -> list[Grown]:
    """Find the components of the links down to each level.

    Parameters
    ----------
    links
        One row per link: ``record_key``, ``hub_key``, ``priority``.
    levels
        Priorities, in rising order.
    engine
        Finds components.

    Returns
    -------
    list of Grown
        One a level, and one of all links.
    """
    grown: list[Grown] = []
    for above, level in pairwise([-1, *levels, _WEAKEST]):
        new = links.filter((nw.col("priority") > above) & (nw.col("priority") <= level))
        grown.append(_joined(grown[-1].labels, new, engine) if grown else _found(new, engine))
    return grown


def _found(links: Frame, engine: Engine) -> Grown:
    found = engine.connected_components(links.select(a="record_key", b="hub_key"))
    labels = found.select(record_key="node", component="component")
    return Grown(labels, labels.select("record_key"))


def _joined(before: Frame, links: Frame, engine: Engine) -> Grown:
    ends = links.join(before.select(record_key="record_key", a="component"), on="record_key", how="left").join(
        before.select(hub_key="record_key", b="component"), on="hub_key", how="left"
    )
    pairs = ends.select(a=nw.coalesce("a", "record_key"), b=nw.coalesce("b", "hub_key"))
    found = engine.connected_components(pairs.filter(nw.col("a") != nw.col("b")))
    larger = before.join(found.select(component="node", larger="component"), on="component", how="left")
    fresh = found.select(record_key="node", component="component").join(before, on="record_key", how="anti")
    labels = nw.concat([larger.select("record_key", component=nw.coalesce("larger", "component")), fresh])
    return Grown(engine.materialise(labels), found.select(record_key="node"))
