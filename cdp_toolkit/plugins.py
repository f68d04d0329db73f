"""Find a connector by its name: entry points, ours and those of other packages alike."""

from importlib.metadata import entry_points
from typing import Any, Literal

from cdp_toolkit.errors import UnknownNameError

Group = Literal["sources", "destinations"]


def find(group: Group, name: str) -> Any:
    """Return the class that is registered under a name.

    Parameters
    ----------
    group
        ``sources`` or ``destinations``.
    name
        Name of the entry point, such as ``files``.

    Returns
    -------
    type
        The connector's class, imported now and not before.

    Raises
    ------
    UnknownNameError
        If no installed package registers that name.
    """
    known = {point.name: point for point in entry_points(group=f"cdp_toolkit.{group}")}
    if name not in known:
        raise UnknownNameError(f"connector in {group}", name, known)
    return known[name].load()
