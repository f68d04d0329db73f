"""The names that a row answers to, and what completes them."""

import re
from collections.abc import Iterator

from cdp_toolkit.model import Entity


def names(entity: Entity) -> Iterator[str]:
    """Return what can be asked of a row by name, for the nearest names of a wrong one.

    Parameters
    ----------
    entity
        What the row is.

    Yields
    ------
    str
        Columns, paths and relations.
    """
    yield from (*entity.fields, *entity.by_path, *(snake(name) for name in entity.relations))


def completions(entity: Entity, path: str) -> set[str]:
    """Return what completes a name.

    Parameters
    ----------
    entity
        What the row is.
    path
        What of a path was named so far; empty at first.

    Returns
    -------
    set of str
        Columns, relations and the parts of paths.
    """
    if path:
        inner = (each.removeprefix(f"{path}.") for each in entity.by_path if each.startswith(f"{path}."))
        return {each.partition(".")[0] for each in inner}
    starts = {each.partition(".")[0] for each in entity.by_path}
    own = (
        {"events", "in_segment", "entered_segment"}
        if "xEvent" in entity.relations
        else {"in_segment", "entered_segment"}
    )
    return {*entity.fields, *(snake(name) for name in entity.relations), *starts, *own}


def snake(name: str) -> str:
    """Return the name of a relation as Python spells names.

    Parameters
    ----------
    name
        Such as ``opportunityRoles``.

    Returns
    -------
    str
        Such as ``opportunity_roles``.
    """
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()
