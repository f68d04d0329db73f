"""Parents of accounts → ultimate parents, depths and descendants; a circle of parents is found and never followed for ever.

Parents are looked up by pointer jumping: each round joins the table with itself and doubles the distance that each
account sees, so that a chain of 10,000 takes 15 rounds.
"""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame

# Descendants further down than this are not listed: the table would grow with the square of a chain's length.
MAX_LEVELS = 32


def add_places(accounts: Frame, engine: Engine) -> Frame:
    """Add where each account stands among its parents.

    Parameters
    ----------
    accounts
        One row per account: ``profile_id``, ``parent_id`` and any others.
    engine
        Keeps the rows between two rounds.

    Returns
    -------
    Frame
        With ``ultimate_parent_id`` (the own id of an account without parent) and ``hierarchy_depth`` (0 for it). Both are
        null for accounts whose parents go round in a circle, and for all below these.
    """
    seen = _look_up(_edges(accounts, engine), engine).rename({"node": "profile_id"})
    is_known = ~nw.col("_is_open").fill_null(value=False)
    return (
        accounts.join(seen, on="profile_id", how="left")
        .with_columns(
            ultimate_parent_id=nw.when(is_known).then(nw.coalesce("_above", "profile_id")),
            hierarchy_depth=nw.when(is_known).then(nw.col("_depth").fill_null(0)),
        )
        .drop("_above", "_depth", "_is_open")
    )


def list_descendants(accounts: Frame, engine: Engine) -> Frame:
    """List who is below whom.

    Parameters
    ----------
    accounts
        One row per account: ``profile_id``, ``parent_id``, ``hierarchy_depth``.
    engine
        Keeps the rows between two levels.

    Returns
    -------
    Frame
        One row per account and account below it: ``account_id``, ``descendant_id``, ``levels`` (1 for a child, at most
        ``MAX_LEVELS``).
    """
    below = accounts.filter(nw.col("hierarchy_depth") > 0)
    parents = engine.materialise(below.select("hierarchy_depth", node="profile_id", above="parent_id"))
    deepest = engine.collect(parents.select(nw.col("hierarchy_depth").max()))["hierarchy_depth"][0].as_py() or 0
    level = parents.select(account_id="above", descendant_id="node")
    levels = [level.with_columns(levels=nw.lit(1).cast(nw.Int64()))]
    for number in range(2, min(deepest, MAX_LEVELS) + 1):
        up = level.join(parents.select("above", account_id="node"), on="account_id", how="inner")
        level = engine.materialise(up.select("descendant_id", account_id="above"))
        levels.append(level.select("account_id", "descendant_id", levels=nw.lit(number).cast(nw.Int64())))
    return nw.concat(levels)


def list_cycles(accounts: Frame, engine: Engine) -> Frame:
    """List the accounts that are their own ancestors.

    Parameters
    ----------
    accounts
        One row per account: ``profile_id``, ``account_name``, ``parent_id``, ``ultimate_parent_id``.
    engine
        Finds which of them are in one circle.

    Returns
    -------
    Frame
        One row per such account: ``profile_id``, ``account_name``, ``parent_id``, ``cycle_id`` (smallest id of its
        circle).
    """
    edges = _edges(accounts.filter(nw.col("ultimate_parent_id").is_null()), engine)
    # Looked up far enough, whoever leads into a circle sees a member of it, and every member is seen by one.
    seen = _look_up(edges, engine).select(profile_id="_above").unique()
    members = accounts.select("profile_id", "account_name", "parent_id").join(seen, on="profile_id", how="semi")
    found = engine.connected_components(members.select(a="profile_id", b="parent_id"))
    return members.join(found.select(profile_id="node", cycle_id="component"), on="profile_id", how="inner")


def _edges(accounts: Frame, engine: Engine) -> Frame:
    edges = accounts.select(node="profile_id", above="parent_id").filter(~nw.col("above").is_null())
    return engine.materialise(edges)


def _look_up(edges: Frame, engine: Engine) -> Frame:
    """Return the furthest ancestor of each account that has a parent: ``node``, ``_above``, ``_depth``, ``_is_open``."""
    rounds = _rows(edges, engine).bit_length() + 1
    seen = edges.select("node", _above="above", _depth=nw.lit(1).cast(nw.Int64()), _is_open=nw.lit(True))
    for _ in range(rounds):
        further = seen.select(_above="node", _next="_above", _more="_depth")
        seen = engine.materialise(
            seen.join(further, on="_above", how="left").select(
                "node",
                _above=nw.coalesce("_next", "_above"),
                _depth=nw.col("_depth") + nw.col("_more").fill_null(0),
                _is_open=~nw.col("_next").is_null(),
            )
        )
        if not _rows(seen.filter(nw.col("_is_open")), engine):
            break
    # After so many doublings only those are open that go round in a circle, or lead into one.
    return seen


def _rows(frame: Frame, engine: Engine) -> int:
    return int(engine.collect(frame.select(rows=nw.len()))["rows"][0].as_py())
