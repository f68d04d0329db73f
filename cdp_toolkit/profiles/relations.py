"""Relation rows, events and references, re-keyed from source keys to profile ids."""

from collections.abc import Collection, Sequence

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity
from cdp_toolkit.model.types import frame_type

# Reference column of a profile table by the key column that it comes from.
REFERENCES = {
    "account_key": "account_id",
    "opportunity_key": "opportunity_id",
    "campaign_key": "campaign_id",
    "list_key": "list_id",
    "parent_key": "parent_id",
}


# Ties that count once however many rows tell them, and by what they are the same.
_ONCE = {"opportunity_person": ("profile_id", "opportunity_id", "role")}

_OWNERS = {"person_key": "person_key", "email": "email", "ecid": "ecid"}
"""Columns of an event that say whose it is, the first that is known counts, and their namespaces."""

MATCHED = "lead-to-account"
"""Who says that a person works for an account where no source does."""


class Keys:
    """Finds the profile that a source key, an e-mail address or an ECID means.

    Parameters
    ----------
    identities
        One row per identity: ``entity``, ``namespace``, ``value_key``, ``profile_id``.
    engine
        Hashes the values: a join on 64-bit keys touches no text.
    """

    def __init__(self, identities: Frame, engine: Engine) -> None:
        self._identities = identities
        self.engine = engine

    def resolve(self, frame: Frame, column: str, entity: str, *, into: str, namespace: str = "") -> Frame:
        """Add the profile id that a column means.

        Parameters
        ----------
        frame
            Any rows with ``column``.
        column
            Text column with source keys or other identities.
        entity
            Entity that they identify.
        into
            Name of the new column; null where nobody is known by that identity.
        namespace
            Namespace of the identities; the entity's source keys by default.

        Returns
        -------
        Frame
            The same rows with the new column.
        """
        namespace = namespace or f"{entity}_key"
        known = self._identities.filter((nw.col("entity") == entity) & (nw.col("namespace") == namespace))
        spelt = frame.with_columns(_text=nw.concat_str([nw.lit(f"{namespace}:"), nw.col(column)]))
        hashed = self.engine.key64(spelt, {"_key": "_text"}).drop("_text")
        found = known.select("value_key", **{into: "profile_id"})
        return self.engine.look_up(hashed, found, on="_key", by="value_key").drop("_key")


def add_references(profiles: Frame, entity: Entity, keys: Keys) -> Frame:
    """Add the ids of what a profile refers to.

    Parameters
    ----------
    profiles
        Rows with the entity's columns.
    entity
        The entity.
    keys
        Finds the ids.

    Returns
    -------
    Frame
        With ``account_id``, ``opportunity_id``, ``campaign_id``, ``list_id`` or ``parent_id``, as the entity has keys.
    """
    for column, reference in REFERENCES.items():
        field = entity.fields.get(column)
        if field is not None and field.to is not None:
            profiles = keys.resolve(profiles, column, field.to, into=reference)
    return profiles


def rekey_rows(records: Frame, entity: Entity, keys: Keys) -> Frame:
    """Return the relation rows of known people.

    Parameters
    ----------
    records
        One row per record of the entity, as in ``entities/<entity>``.
    entity
        An entity that ties a person to something.
    keys
        Finds the ids.

    Returns
    -------
    Frame
        ``profile_id`` of the person, ``source_key``, the entity's columns and the ids of what they refer to. What two
        systems tell of one tie is one row: that of the system where it is at home, and a role that a person has on an
        opportunity is there once.
    """
    live = records if entity.keeps_deleted else records.filter(~nw.col("is_deleted"))
    owned = keys.resolve(live, "person_key", "person", into="profile_id").filter(~nw.col("profile_id").is_null())
    rows = _in_order(add_references(owned, entity, keys), entity)
    rows = _without_copies(rows, keys.engine) if "external_key" in entity.recorded else rows
    return _once(rows, _ONCE[entity.name]) if entity.name in _ONCE else rows


def _without_copies(rows: Frame, engine: Engine) -> Frame:
    """Leave out rows of the same person that name another row of the table as themselves in another system."""
    told = rows.select("profile_id", "external_key", "source_key").filter(~nw.col("external_key").is_null())
    told = engine.materialise(told)
    if not len(engine.collect(told.head(1))):
        return rows
    homes = rows.select("profile_id", external_key="source_key", _back="external_key")
    found = homes.join(told, on=["profile_id", "external_key"], how="inner")
    # Of two rows that name each other, the one whose key sorts first is at home.
    is_mutual = (nw.col("_back") == nw.col("source_key")).fill_null(value=False)
    is_copy = ~is_mutual | (nw.col("source_key") > nw.col("external_key"))
    copies = engine.materialise(found.filter(is_copy).select("profile_id", "source_key"))
    return engine.without(rows, copies, on=["profile_id", "source_key"])


def _once(rows: Frame, key: Sequence[str]) -> Frame:
    is_known = ~nw.any_horizontal(*(nw.col(name).is_null() for name in key if name != "role"), ignore_nulls=True)
    is_first = nw.col("source_key") == nw.col("source_key").min().over(*key)
    return rows.filter(~is_known | is_first)


def rekey_events(records: Frame, entity: Entity, keys: Keys) -> Frame:
    """Return the events with the person who each belongs to.

    Parameters
    ----------
    records
        One row per event, as in ``entities/event``.
    entity
        The event entity.
    keys
        Finds the ids.

    Returns
    -------
    Frame
        As ``rekey_rows``; ``profile_id`` is found by record, else e-mail address, else ECID, and null where nobody is.
    """
    rows = records.filter(~nw.col("is_deleted"))
    for column, namespace in _OWNERS.items():
        rows = keys.resolve(rows, column, "person", into=f"by_{column}", namespace=namespace)
    owned = rows.with_columns(profile_id=nw.coalesce(*(f"by_{column}" for column in _OWNERS)))
    return _in_order(add_references(owned, entity, keys), entity)


def identities_of_events(events: Frame, entity: Entity, engine: Engine, namespaces: Collection[str]) -> list[Frame]:
    """Return by which identities events are given to people and to what else they name.

    Parameters
    ----------
    events
        Events, with their ``source_key``.
    entity
        The event entity.
    engine
        Hashes.
    namespaces
        Those of the identities that are asked for.

    Returns
    -------
    list of Frame
        ``source_key`` and ``value_key``, a frame an identity; a column that is empty is null.
    """
    references = {name: entity.fields[name].to for name in REFERENCES if name in entity.fields}
    named = _OWNERS | {name: f"{to}_key" for name, to in references.items() if to is not None}
    spelt = (
        events.select("source_key", _text=nw.concat_str([nw.lit(f"{namespace}:"), nw.col(column)]))
        for column, namespace in named.items()
        if namespace in namespaces
    )
    return [engine.key64(rows.filter(~nw.col("_text").is_null()), {"value_key": "_text"}) for rows in spelt]


def add_matches(ties: Frame, matches: Frame, entity: Entity) -> Frame:
    """Add to the ties of people and accounts those that no source states and that were found by what agrees.

    Parameters
    ----------
    ties
        One row per tie that a source states, re-keyed.
    matches
        As ``identity/account_matches``.
    entity
        The entity of the ties.

    Returns
    -------
    Frame
        The same rows and one per match, with ``relationship_source`` ``lead-to-account``.
    """
    ids = [nw.col(name).cast(nw.String()) for name in ("profile_id", "account_id")]
    said = {
        "is_active": nw.lit(True),
        "relationship_source": nw.lit(MATCHED),
        "matching_score": nw.col("score"),
        "matched_at": nw.col("matched_at"),
        "source_key": nw.concat_str(nw.concat_str(*ids, separator="-"), nw.lit("@lead-to-account.Match")),
    }
    silent = {name: nw.lit(None).cast(frame_type(field.type)) for name, field in entity.recorded.items()}
    rows = matches.filter(nw.col("is_matched")).select("profile_id", "account_id", **(silent | said))
    return nw.concat([ties, rows.select(*ties.collect_schema().names())])


def person_accounts(people: Frame, ties: Frame, keys: Keys) -> Frame:
    """Say which accounts a person works for.

    Parameters
    ----------
    people
        One row per person record: ``profile_id`` and the ``account_key`` that it names.
    ties
        One row per account person relation, re-keyed.
    keys
        Finds the ids.

    Returns
    -------
    Frame
        ``profile_id``, ``account_id``: the account that each record names, and those of ties that are not inactive.
    """
    direct = keys.resolve(people, "account_key", "account", into="account_id")
    active = ties.filter(nw.col("is_active").fill_null(value=True))
    pairs = [rows.select("profile_id", "account_id").drop_nulls() for rows in (direct, active)]
    return nw.concat(pairs).unique(["profile_id", "account_id"])


def _in_order(rows: Frame, entity: Entity) -> Frame:
    names = rows.collect_schema().names()
    references = [reference for reference in REFERENCES.values() if reference in names]
    return rows.select("profile_id", "source_key", *entity.recorded, *references)
