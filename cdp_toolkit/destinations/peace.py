"""Who is left in peace: suppression lists, holdout groups, and caps on how often."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import narwhals as nw

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.ledger import KEYS
from cdp_toolkit.destinations.policies import Frequency, Holdout, Policies
from cdp_toolkit.engines import Engine, Frame

_PARTS = 10_000


def suppressed(found: Frame, lists: Mapping[str, Frame]) -> Frame:
    """Say of each member which suppression list names them.

    Parameters
    ----------
    found
        See ``candidates.candidates``.
    lists
        By name, one row per suppressed profile: ``profile_id``.

    Returns
    -------
    Frame
        The same rows with ``_suppressed``, the first list in order, or null.
    """
    for name, profiles in reversed(list(lists.items())):
        named = profiles.select(_listed_id="profile_id").unique().with_columns(_list=nw.lit(name))
        joined = found.join(named, left_on="_profile_id", right_on="_listed_id", how="left")
        found = joined.with_columns(_suppressed=nw.coalesce("_list", "_suppressed")).drop("_list")
    return found


def listed_profiles(values: Frame, column: str, profiles: Frame) -> Frame:
    """Find the profiles that a list of values means.

    Parameters
    ----------
    values
        One row per value: ``value``.
    column
        Column of the profiles that they are values of; for ``email`` and the like the list of all, ``emails``, counts
        as well.
    profiles
        One row per profile.

    Returns
    -------
    Frame
        ``profile_id`` of everyone named, whatever the case and the spaces around it.
    """
    schema = profiles.collect_schema()
    owned = []
    for name in (column, f"{column}s"):
        if name in schema.names():
            rows = profiles.select("profile_id", value=nw.col(name))
            owned.append(rows.explode("value") if isinstance(schema[name], nw.List) else rows)
    meant = values.select(_value=_plain("value")).unique()
    own = nw.concat([rows.select("profile_id", _value=_plain("value")) for rows in owned])
    return own.join(meant, on="_value", how="inner").select("profile_id").unique()


def held_out(found: Frame, holdouts: Mapping[str, Holdout], engine: Engine) -> Frame:
    """Say of each member which group holds them out.

    Parameters
    ----------
    found
        See ``candidates.candidates``.
    holdouts
        Groups by name.
    engine
        Hashes.

    Returns
    -------
    Frame
        The same rows with ``_held_out``, the first group in order, or null. The same profile is in or out of a group
        for ever, and independently of other groups.
    """
    for name, holdout in reversed(list(holdouts.items())):
        text = nw.concat_str(nw.lit(f"{name}:"), nw.col("_profile_id").cast(nw.String))
        hashed = engine.key64(found.with_columns(_text=text), {"_draw": "_text"})
        is_out = nw.col("_draw") % _PARTS < round(holdout.share * _PARTS)
        group = nw.when(is_out).then(nw.lit(name)).otherwise(nw.col("_held_out"))
        found = hashed.with_columns(_held_out=group).drop("_draw", "_text")
    return found


def put_off(
    changes: Frame, ledger: Frame, caps: Sequence[tuple[Frequency, Sequence[str]]], *, as_of: datetime
) -> Frame:
    """Let those wait who were added as often as a cap allows.

    Parameters
    ----------
    changes
        See ``changes.compare``.
    ledger
        ``activation/ledger`` of all destinations.
    caps
        Each with the names of the destinations that it counts.
    as_of
        Time of the plan.

    Returns
    -------
    Frame
        The same rows; an addition above a cap is a refusal that is no change, so that it is tried with the next plan.
    """
    for cap, destinations in caps:
        is_counted = (
            nw.col("destination").is_in(list(destinations))
            & (nw.col("action") == "add")
            & (nw.col("outcome") == "delivered")
            & (nw.col("at") > nw.lit(as_of - timedelta(days=cap.days)))
        )
        counted = ledger.filter(is_counted).group_by("profile_id").agg(_added=nw.len().cast(nw.Int64))
        reason = nw.lit(f"at the cap of {cap.most} in {cap.days} days for {cap.channel}")
        is_add = nw.col("_action") == "add"
        now = is_add.cast(nw.Int64).cum_sum().over("_profile_id", order_by=KEYS)  # of several audiences the first ones
        is_over = is_add & (now + nw.col("_added").fill_null(0) > cap.most)
        rows = changes.join(
            counted.rename({"profile_id": "_added_id"}), left_on="_profile_id", right_on="_added_id", how="left"
        ).with_columns(_over=is_over)
        changes = rows.with_columns(
            _reason=nw.when(nw.col("_over")).then(reason).otherwise(nw.col("_reason")),
            _action=nw.when(nw.col("_over")).then(nw.lit("refuse")).otherwise(nw.col("_action")),
            _is_change=nw.col("_is_change") & ~nw.col("_over"),
        ).drop("_over", "_added")
    return changes


def holdouts_of(policies: Policies, destination: Destination) -> dict[str, Holdout]:
    """Return the groups that are held out from a destination.

    Parameters
    ----------
    policies
        All of them.
    destination
        Its definition.

    Returns
    -------
    dict
        Group by name.
    """
    return {name: each for name, each in policies.holdouts.items() if holds(each.destinations, destination)}


def holds(destinations: Sequence[str], destination: Destination) -> bool:
    """Tell whether a rule that names destinations, or none for all, is about one.

    Parameters
    ----------
    destinations
        Names, or none.
    destination
        Its definition.

    Returns
    -------
    bool
        Whether it is.
    """
    return not destinations or destination.name in destinations


def _plain(column: str) -> nw.Expr:
    return nw.col(column).cast(nw.String).str.strip_chars().str.to_lowercase()
