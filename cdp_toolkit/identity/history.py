"""What became of profile ids from one run to the next: merged, split, moved or gone, and why."""

import datetime as dt
from typing import NamedTuple

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.model.types import arrow_type

_PAIR = ["profile_id", "other_id"]
_ALIAS = tuple(TABLES["identity/aliases"].columns)


class Stitched(NamedTuple):
    """The ids of one run, and the links that led to them."""

    ids: Frame
    links: Frame
    refused: Frame


class History(NamedTuple):
    """Ids that were given up and what they mean now, and what changed since the last run."""

    aliases: Frame
    changes: Frame


def empty(name: str, engine: Engine) -> Frame:
    """Return a table of the lake without rows.

    Parameters
    ----------
    name
        Its folder and name.
    engine
        Loads it.

    Returns
    -------
    Frame
        Its columns.
    """
    columns = [(column, arrow_type(kind)) for column, kind in TABLES[name].columns.items()]
    return engine.load(pa.schema(columns).empty_table())


def compare(
    before: Stitched,
    now: Stitched,
    aliases: Frame,
    *,
    entity: str,
    rules: IdentityRules,
    as_of: dt.datetime,
    engine: Engine,
) -> History:
    """Say what became of the ids of one entity.

    Parameters
    ----------
    before, now
        What the last run and this one found; of all records, or of all that this one looked at.
    aliases
        As ``identity/aliases`` was, of this entity.
    entity
        The entity.
    rules
        Tells the strongest of several namespaces.
    as_of
        Time of this run, in UTC.
    engine
        Keeps the small frames in between.

    Returns
    -------
    History
        As ``identity/aliases``, all of them, and new rows for ``identity/history``.
    """
    was, now_is = (each.ids.select("source_key", "record_key", "profile_id") for each in (before, now))
    moved = was.join(now_is.select("source_key", now_id="profile_id"), on="source_key", how="inner")
    moved = engine.materialise(moved.filter(nw.col("profile_id") != nw.col("now_id")))
    live, known = (each.select("profile_id").unique() for each in (now_is, was))
    lost = engine.materialise(known.join(live, on="profile_id", how="anti"))
    heirs = engine.materialise(_heirs(moved, lost))
    gone = lost.join(heirs, on="profile_id", how="anti")
    pairs = moved.select(profile_id="now_id", other_id="profile_id").unique()
    inherited = heirs.select(profile_id="heir_id", other_id="profile_id")
    split = engine.materialise(pairs.join(known, on="profile_id", how="anti"))
    shifted = pairs.join(known, on="profile_id", how="semi").join(inherited, on=_PAIR, how="anti")
    why_one, why_two = _joined_by(before, now, moved, rules), _parted_by(before, now, moved, rules)
    changes = [
        _change(
            heirs.rename({"heir_id": "other_id"}), "merged", why_one.rename({"profile_id": "other_id"}), "other_id"
        ),
        _change(shifted, "moved", why_one, "profile_id"),
        _change(split, "split", why_two.rename({"profile_id": "other_id"}), "other_id"),
        gone.with_columns(
            other_id=nw.lit(None, nw.Int64()), change=nw.lit("gone"), because=nw.lit("no record is left")
        ),
    ]
    at = nw.lit(as_of).cast(nw.Datetime("us", "UTC"))
    history = nw.concat([each.select(*_PAIR, "change", "because") for each in changes])
    return History(
        nw.concat([_still_given_up(aliases, heirs, gone, live), _given_up(heirs, entity, at)]),
        history.select("profile_id", "change", "other_id", "because", entity=nw.lit(entity), changed_at=at).select(
            *TABLES["identity/history"].columns
        ),
    )


def _heirs(moved: Frame, lost: Frame) -> Frame:
    """Return for each id that is no more the profile that has its first record, if any."""
    rank = nw.when(nw.col("record_key") == nw.col("profile_id")).then(nw.lit(-1)).otherwise(nw.col("record_key"))
    left = moved.join(lost, on="profile_id", how="semi").with_columns(rank=rank)
    first = left.filter(nw.col("rank") == nw.col("rank").min().over("profile_id"))
    return first.select("profile_id", heir_id="now_id").unique("profile_id")


def _still_given_up(aliases: Frame, heirs: Frame, gone: Frame, live: Frame) -> Frame:
    """Return the earlier aliases with what they mean now; an id that came back is none any more."""
    known = aliases.join(heirs, on="profile_id", how="left").with_columns(
        profile_id=nw.coalesce("heir_id", "profile_id")
    )
    known = known.join(gone.select("profile_id"), on="profile_id", how="anti")
    return known.join(live.select(alias_id="profile_id"), on="alias_id", how="anti").select(*_ALIAS)


def _given_up(heirs: Frame, entity: str, at: nw.Expr) -> Frame:
    renamed = heirs.select(alias_id="profile_id", profile_id="heir_id")
    return renamed.with_columns(entity=nw.lit(entity), since=at).select(*_ALIAS)


def _joined_by(before: Stitched, now: Stitched, moved: Frame, rules: IdentityRules) -> Frame:
    """Return for each profile that took others in the strongest link between what was apart."""
    ends = _ends(now.links, now.ids, moved.select(profile_id="now_id"))
    apart = _beside(ends, before.ids)
    is_across = (nw.col("record_id") != nw.col("hub_id")) | nw.col("record_id").is_null() | nw.col("hub_id").is_null()
    strongest = _strongest(apart.filter(is_across), rules)
    return strongest.select("profile_id", because=nw.concat_str(nw.lit("same "), nw.col("namespace")))


def _parted_by(before: Stitched, now: Stitched, moved: Frame, rules: IdentityRules) -> Frame:
    """Return for each profile that lost records the strongest link that held them, and why it does no more."""
    ends = _ends(before.links, before.ids, moved.select("profile_id"))
    parted = _beside(ends, now.ids)
    is_across = (nw.col("record_id") != nw.col("hub_id")) | nw.col("record_id").is_null() | nw.col("hub_id").is_null()
    reasons = now.refused.select("record_key", "value_key", "reason")
    told = parted.filter(is_across).join(reasons, on=["record_key", "value_key"], how="left")
    strongest = _strongest(told, rules)
    why = nw.coalesce(nw.col("reason"), nw.lit("no longer shared"))
    return strongest.select("profile_id", because=nw.concat_str(nw.col("namespace"), nw.lit(": "), why))


def _ends(links: Frame, ids: Frame, profiles: Frame) -> Frame:
    """Return the links within some profiles, with the profile."""
    of = ids.join(profiles.unique(), on="profile_id", how="semi").select("record_key", "profile_id")
    return links.select("record_key", "hub_key", "namespace", "value_key").join(of, on="record_key", how="inner")


def _beside(links: Frame, ids: Frame) -> Frame:
    """Add the profiles that both ends of a link have in another run."""
    record, hub = (ids.select(**{key: "record_key", name: "profile_id"}) for key, name in
                   (("record_key", "record_id"), ("hub_key", "hub_id")))  # fmt: skip
    return links.join(record, on="record_key", how="left").join(hub, on="hub_key", how="left")


def _strongest(links: Frame, rules: IdentityRules) -> Frame:
    """Return one link a profile: of the strongest namespace, of these the first by its names."""
    priority = nw.lit(rules.namespace("other_key").priority)
    for name, rule in rules.namespaces.items():
        priority = nw.when(nw.col("namespace") == name).then(nw.lit(rule.priority)).otherwise(priority)
    ranked = links.with_columns(_priority=priority)
    return ranked.unique("profile_id", keep="first", order_by=["_priority", "namespace", "record_key", "value_key"])


def _change(pairs: Frame, change: str, why: Frame, on: str) -> Frame:
    return pairs.join(why.unique(on), on=on, how="left").with_columns(change=nw.lit(change))
