"""Look-up of a name among those that a workspace defines."""

from collections.abc import Mapping
from typing import TypeVar

from cdp_toolkit.errors import UnknownNameError

Found = TypeVar("Found")


def find(kind: str, name: str, known: Mapping[str, Found]) -> Found:
    """Return what a name stands for.

    Parameters
    ----------
    kind
        What is looked for, such as ``segment``.
    name
        Its name.
    known
        All that there are.

    Returns
    -------
    object
        What has the name.

    Raises
    ------
    UnknownNameError
        If nothing has it; with the nearest names.
    """
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return known[name]
