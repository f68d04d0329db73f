"""The records and the identities that a person is made of, a row each."""

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Entity
from cdp_toolkit.profiles.relations import Keys, add_references


def person_components(records: Frame, entity: Entity, keys: Keys) -> Frame:
    """Return what each source says of a person.

    Parameters
    ----------
    records
        One row per person record, as in ``entities/person``, that is not deleted, with its ``profile_id``.
    entity
        ``person_component``; its fields are columns of the records.
    keys
        Finds the accounts.

    Returns
    -------
    Frame
        One row per record: ``profile_id``, ``source_key``, the entity's columns and ``account_id``
        of the account that the record names.
    """
    owned = records.with_columns(person_key=nw.col("source_key"))
    return add_references(owned.select("profile_id", "source_key", *entity.fields), entity, keys)


def person_identities(identities: Frame) -> Frame:
    """Return the identities that lead to each person, besides the keys of their records.

    Parameters
    ----------
    identities
        One row per identity, as in ``identity/identities``.

    Returns
    -------
    Frame
        ``profile_id``, ``source_key`` (namespace and value), ``namespace`` and ``value``.
    """
    own = identities.filter((nw.col("entity") == "person") & (nw.col("namespace") != "person_key"))
    key = nw.concat_str("namespace", "value", separator=":")
    return own.select("profile_id", key.alias("source_key"), "namespace", "value")
