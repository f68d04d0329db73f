"""An audience handed on by a relation: accounts to their people, people to their accounts."""

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.listed import Scan


def related(members: Frame, entity: str, via: str, scan: Scan, model: Model) -> Frame:
    """Return who a relation leads to from the members of an audience.

    Parameters
    ----------
    members
        One row per member: ``profile_id``.
    entity
        What the members are.
    via
        Name of a relation, such as ``people`` of an account.
    scan
        Gives ``profiles/<name>``.
    model
        Entities and relations.

    Returns
    -------
    Frame
        One row per profile behind the relation: ``profile_id``, each once.

    Raises
    ------
    UnknownNameError
        If the entity has no such relation; with the nearest names.
    """
    relations = model.entity(entity).relations
    if via not in relations:
        raise UnknownNameError(f"relation of {entity}", via, relations)
    relation = relations[via]
    if relation.through is not None:
        rows, own, other = scan(relation.through), relation.near, relation.far
    elif relation.many:
        rows, own, other = scan(relation.to), relation.far, "profile_id"
    else:
        rows, own, other = scan(entity), "profile_id", relation.near
    pairs = rows.select(_own=nw.col(own), profile_id=nw.col(other)).filter(~nw.col("profile_id").is_null())
    mine = pairs.join(members.select("profile_id"), left_on="_own", right_on="profile_id", how="semi")
    return mine.select("profile_id").unique("profile_id")
