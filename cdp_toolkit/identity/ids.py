"""Components of records → profile ids that survive the next run.

A new profile takes the key of its first record, its anchor, as its id. From then on the id belongs to the component that
holds the anchor; where components merge, the older id wins.
"""

import datetime as dt

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import DataError
from cdp_toolkit.identity.definition import IdentityRules


def number_profiles(
    records: Frame,
    components: Frame,
    previous: Frame | None,
    engine: Engine,
    *,
    as_of: dt.datetime,
    in_use: Frame | None = None,
) -> Frame:
    """Give each record the id of its profile.

    Parameters
    ----------
    records
        One row per record: ``source_key``, ``record_key``, ``is_deleted``.
    components
        One row per record that is linked: ``record_key`` and the smallest key of its ``component``.
    previous
        What this function returned last time; None the first time.
    engine
        Hashes.
    as_of
        Time of this run, in UTC.
    in_use
        Ids of profiles whose records are not among these, ``profile_id``; none by default.

    Returns
    -------
    Frame
        One row per record: ``source_key``, ``record_key``, ``profile_id``, ``is_deleted``, ``since`` (when the id was
        first given). Records whose whole component is deleted are left out.
    """
    members = records.join(components, on="record_key", how="left").with_columns(
        component=nw.coalesce("component", "record_key")
    )
    members = members.filter((~nw.col("is_deleted")).max().over("component"))
    now = nw.lit(as_of).cast(nw.Datetime("us", "UTC"))
    if previous is None:
        numbered = members.with_columns(profile_id=nw.col("component"), since=now)
    else:
        known = members.join(_claims(members, previous), on="component", how="left")
        fresh = known.filter(nw.col("claimed_id").is_null())
        numbered = known.join(_fresh_ids(fresh, known, in_use, engine), on="component", how="left").with_columns(
            profile_id=nw.coalesce("claimed_id", "fresh_id"), since=nw.coalesce(nw.col("claimed_since"), now)
        )
    return numbered.select("source_key", "record_key", "profile_id", "is_deleted", "since")


def _claims(members: Frame, previous: Frame) -> Frame:
    """Return which component goes on with which id: at most one an id and one a component."""
    known = previous.select("source_key", "profile_id", "since")
    past = members.join(known, on="source_key", how="inner")
    is_anchor = nw.col("record_key") == nw.col("profile_id")
    # keys are not negative, so the anchor sorts before all other records of the profile
    past = past.with_columns(rank=nw.when(is_anchor).then(nw.lit(-1)).otherwise(nw.col("record_key")))
    holders = past.filter(nw.col("rank") == nw.col("rank").min().over("profile_id"))
    oldest = holders.filter(nw.col("since") == nw.col("since").min().over("component"))
    winners = oldest.filter(nw.col("profile_id") == nw.col("profile_id").min().over("component"))
    return winners.select("component", claimed_id="profile_id", claimed_since="since").unique("component")


def _fresh_ids(fresh: Frame, known: Frame, in_use: Frame | None, engine: Engine) -> Frame:
    """Return the ids of new profiles: the key of the first record whose key is no other profile's id.

    A record that left its profile has given it its key as the id: what the record becomes needs another one. Where all
    keys of a component are taken it is a hash of the first.
    """
    taken = known.select(profile_id="claimed_id").drop_nulls()
    taken = taken if in_use is None else nw.concat([taken, in_use.select("profile_id")])
    free = fresh.join(taken.unique(), left_on="record_key", right_on="profile_id", how="anti")
    first = free.group_by("component").agg(own_id=nw.col("record_key").min())
    spelt = fresh.group_by("component").agg(
        _spelt=nw.concat_str(nw.lit("another profile of "), nw.col("source_key")).min()
    )
    hashed = engine.key64(spelt, {"other_id": "_spelt"}).select("component", "other_id")
    return hashed.join(first, on="component", how="left").select(
        "component", fresh_id=nw.coalesce("own_id", "other_id")
    )


def check_keys(records: Frame, engine: Engine) -> None:
    """Check that each record has a key of its own.

    Parameters
    ----------
    records
        One row per record: ``source_key``, ``record_key``.
    engine
        Counts.

    Raises
    ------
    DataError
        If the 64-bit keys of two records are the same, which is so in one of 80,000 workspaces of 15 million records.
    """
    twice = records.group_by("record_key").agg(count=nw.len()).filter(nw.col("count") > 1).head(1)
    for key in engine.collect(twice)["record_key"].to_pylist():
        named = engine.collect(records.filter(nw.col("record_key") == key).select("source_key"))
        raise DataError(
            f"The records {' and '.join(sorted(named['source_key'].to_pylist()))} have the same key.",
            where=f"key {key}",
            hint="Load one of them under another instance name, so that its key becomes another one.",
        )


def map_identities(identities: Frame, ids: Frame, links: Frame, refused: Frame, rules: IdentityRules) -> Frame:
    """Say which profile an identity means.

    Parameters
    ----------
    identities
        One row per record and identity, of one entity.
    ids
        One row per record: ``record_key``, ``profile_id``.
    links
        One row per record and identity that links it to another record: ``record_key``, ``value_key``.
    refused
        One row per record and identity that does not link it: ``record_key``, ``value_key``.
    rules
        Which namespaces link.

    Returns
    -------
    Frame
        One row per identity: ``entity``, ``namespace``, ``value``, ``value_key``, ``profile_id``. A shared device means
        the profile that was seen with it last; an identity that links nobody, such as a shared mailbox, is left out.
    """
    # A value that links means the profile of the record that all others are linked to: no text is compared.
    told = nw.concat([frame.select("record_key", "value_key") for frame in (links, refused)])
    first = identities.join(told, on=["record_key", "value_key"], how="anti")
    owned = first.join(ids.select("record_key", "profile_id"), on="record_key").select(
        "entity", "namespace", "value", "value_key", "profile_id"
    )
    is_silent = nw.col("namespace").is_in([name for name, rule in rules.namespaces.items() if not rule.links])
    pairs = owned.filter(is_silent).unique(["value_key", "profile_id"])
    return nw.concat([owned.filter(~is_silent), pairs.filter(nw.len().over("value_key") == 1)])
