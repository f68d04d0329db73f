"""Connected components: of a graph in the memory of one machine, and of one that only frames can hold."""

from collections.abc import Callable

import narwhals as nw
import numpy as np
import numpy.typing as npt

from cdp_toolkit.engines.engine import Frame

Nodes = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
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
    nodes, numbers = np.unique(np.concatenate([a, b]), return_inverse=True)
    left, right = numbers[: len(a)].astype(np.int32), numbers[len(a) :].astype(np.int32)
    return nodes, find_roots(nodes, left, right)


def find_roots(nodes: Nodes, left: Numbers, right: Numbers) -> Nodes:
    """Find what hangs together, where nodes are numbered already.

    Parameters
    ----------
    nodes
        Each node once.
    left, right
        The places of the two ends of each link in ``nodes``.

    Returns
    -------
    array
        For each node the smallest node of its component.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(len(nodes), len(nodes)))
    count, labels = connected_components(graph, directed=False)
    least = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(least, labels, nodes)
    roots: Nodes = least[labels]
    return roots


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
        step = materialise(_hook(links, _Order(len(rounds))))
        links = materialise(_contract(links, step))
        rounds.append(step)
    return _smallest(_composed(rounds, materialise), materialise)


class _Order:
    """An order of all nodes, new for each number: two Feistel steps, since they overflow nowhere and can be undone.

    A step is a column of its own, as each names the one before it more than once.
    """

    def __init__(self, number: int) -> None:
        self._is_natural = number == 0  # links that are stars around their smallest node are done in one round
        self._mix, self._shift, self._remix, self._reshift = (
            np.random.default_rng(number).integers(1, _HIGH, 4).tolist()
        )

    def rank(self, frame: Frame, node: str, into: str) -> Frame:
        """Add the rank of each node."""
        if self._is_natural:
            return frame.with_columns(nw.col(node).alias(into))
        halves = _halves(frame, node)
        high = halves.with_columns(_high=(nw.col("_high") + self._high_key()) % _HIGH)
        low = high.with_columns(_low=(nw.col("_low") + self._low_key()) % _LOW)
        return low.with_columns((nw.col("_high") * _LOW + nw.col("_low")).alias(into)).drop("_high", "_low")

    def node(self, frame: Frame, rank: str, into: str) -> Frame:
        """Add the node that has a rank."""
        if self._is_natural:
            return frame.with_columns(nw.col(rank).alias(into))
        halves = _halves(frame, rank)
        low = halves.with_columns(_low=(nw.col("_low") + _LOW - self._low_key()) % _LOW)
        high = low.with_columns(_high=(nw.col("_high") + _HIGH - self._high_key()) % _HIGH)
        return high.with_columns((nw.col("_high") * _LOW + nw.col("_low")).alias(into)).drop("_high", "_low")

    def _high_key(self) -> nw.Expr:
        key: nw.Expr = (nw.col("_low") * self._mix + self._shift) % _HIGH
        return key

    def _low_key(self) -> nw.Expr:
        key: nw.Expr = (nw.col("_high") * self._remix + self._reshift) % _LOW
        return key


def _halves(frame: Frame, number: str) -> Frame:
    low = frame.with_columns(_low=nw.col(number) % _LOW)
    return low.with_columns(_high=((nw.col(number) - nw.col("_low")) / _LOW).cast(nw.Int64()))  # exact as a float too


def _hook(links: Frame, order: _Order) -> Frame:
    """Return for each node the first of itself and its neighbours, as ``to``."""
    ends = [links.select(node="a", other="b"), links.select(node="b", other="a")]
    ranked = order.rank(nw.concat(ends), "other", "rank")
    least = order.rank(ranked.group_by("node").agg(nw.col("rank").min()), "node", "own")
    first = least.select("node", rank=nw.min_horizontal("rank", "own"))
    return order.node(first, "rank", "to").select("node", "to")


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
