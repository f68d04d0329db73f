"""Connected components: of a graph in the memory of one machine, and of one that only frames can hold."""

from collections.abc import Callable
from typing import NamedTuple

import narwhals as nw
import numpy as np
import numpy.typing as npt

from cdp_toolkit.engines.engine import Frame

Nodes = npt.NDArray[np.int64]
_LOW = 2**32
_HIGH = 2**31


def components(a: Nodes, b: Nodes) -> tuple[Nodes, Nodes]:
    """Find what hangs together.

    Parameters
    ----------
    a, b
        The two ends of each link.

    Returns
    -------
    nodes, roots
        Each node once, in rising order, and the smallest node of its component.

    Examples
    --------
    >>> nodes, roots = components(np.array([1, 2, 8]), np.array([2, 5, 9]))
    >>> nodes.tolist(), roots.tolist()
    ([1, 2, 5, 8, 9], [1, 1, 1, 8, 8])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes, numbers = np.unique(np.concatenate([a, b]), return_inverse=True)
    left, right = numbers[: len(a)].astype(np.int32), numbers[len(a) :].astype(np.int32)
    graph = coo_array((np.ones(len(a), np.bool_), (left, right)), shape=(len(nodes), len(nodes)))
    count, labels = connected_components(graph, directed=False)
    # The first node of a label is its smallest: nodes rise, and reversed assignment lets the first one win.
    first = np.empty(count, np.int64)
    first[labels[::-1]] = np.arange(len(nodes))[::-1]
    return nodes, nodes[first[labels]]


def portable_components(links: Frame, materialise: Callable[[Frame], Frame]) -> Frame:
    """Find what hangs together, by joins and aggregations alone.

    Each round maps every node to the first of itself and its neighbours, in an order that is new each time, and goes on
    with the links between what is left. A random order leaves at most three quarters of the nodes, whatever the graph
    (Bögeholz, Brand and Todor, In-database connected component analysis, 2018), so a chain of n nodes takes log n
    rounds, and all of them together the work of a few.

    Parameters
    ----------
    links
        One row per link: ``a`` and ``b``, 64-bit integers that are not negative.
    materialise
        Runs a frame and returns its rows as a frame, so that no round is computed twice.

    Returns
    -------
    Frame
        One row per ``node``, with the smallest node of its ``component``.
    """
    links = materialise(links.select(a=nw.col("a").cast(nw.Int64()), b=nw.col("b").cast(nw.Int64())).unique())
    rounds: list[Frame] = []
    while _size(links) or not rounds:
        step = materialise(_hook(links, _order(len(rounds))))
        links = materialise(_contract(links, step))
        rounds.append(step)
    return _smallest(_composed(rounds, materialise), materialise)


class _Order(NamedTuple):
    """An order of all nodes: how a node is ranked, and which node has a rank."""

    rank: Callable[[nw.Expr], nw.Expr]
    node: Callable[[nw.Expr], nw.Expr]


def _order(number: int) -> _Order:
    if number == 0:  # links that are stars around their smallest node are done in one round
        return _Order(lambda node: node, lambda rank: rank)
    # Two Feistel steps, since no engine overflows in them and they can be undone.
    mix, shift, remix, reshift = np.random.default_rng(number).integers(1, _HIGH, 4).tolist()

    def rank(node: nw.Expr) -> nw.Expr:
        high, low = _halves(node)
        high = (high + (low * mix + shift) % _HIGH) % _HIGH
        ranked: nw.Expr = high * _LOW + (low + (high * remix + reshift) % _LOW) % _LOW
        return ranked

    def node(rank: nw.Expr) -> nw.Expr:
        high, low = _halves(rank)
        low = (low + _LOW - (high * remix + reshift) % _LOW) % _LOW
        found: nw.Expr = (high + _HIGH - (low * mix + shift) % _HIGH) % _HIGH * _LOW + low
        return found

    return _Order(rank, node)


def _halves(number: nw.Expr) -> tuple[nw.Expr, nw.Expr]:
    low = number % _LOW
    return ((number - low) / _LOW).cast(nw.Int64()), low  # exact as a float too: 31 bits and a power of two


def _hook(links: Frame, order: _Order) -> Frame:
    """Return for each node the first of itself and its neighbours, as ``to``."""
    ends = [links.select(node="a", other="b"), links.select(node="b", other="a")]
    ranked = nw.concat(ends).select("node", rank=order.rank(nw.col("other")))
    least = ranked.group_by("node").agg(nw.col("rank").min())
    return least.select("node", to=order.node(nw.min_horizontal("rank", order.rank(nw.col("node")))))


def _contract(links: Frame, step: Frame) -> Frame:
    """Return the links between what nodes were mapped to."""
    ends = links.join(step.select(a="node", one="to"), on="a").join(step.select(b="node", other="to"), on="b")
    pairs = ends.select(a=nw.min_horizontal("one", "other"), b=nw.max_horizontal("one", "other"))
    return pairs.filter(nw.col("a") != nw.col("b")).unique()


def _composed(rounds: list[Frame], materialise: Callable[[Frame], Frame]) -> Frame:
    """Return what all rounds together map a node to, as ``root``; the last rounds are the smallest."""
    composed = rounds[-1].select("node", root="to")
    for step in reversed(rounds[:-1]):
        later = composed.select(to="node", root="root")
        joined = step.join(later, on="to", how="left")
        composed = materialise(joined.select("node", root=nw.coalesce("root", "to")))
    return composed


def _smallest(composed: Frame, materialise: Callable[[Frame], Frame]) -> Frame:
    least = materialise(composed.group_by("root").agg(component=nw.col("node").min()))
    return composed.join(least, on="root").select("node", "component")


def _size(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())
