"""Connected components of a graph that fits into the memory of one machine."""

import numpy as np
import numpy.typing as npt

Nodes = npt.NDArray[np.int64]


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
