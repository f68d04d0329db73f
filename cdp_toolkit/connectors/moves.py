"""Who joins and leaves the lists of platforms that know people by digests.

Invariant: nobody is taken off by an identifier under which this run has put somebody on the same list. One person may
come back under a new address with the same phone number, in another batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cdp_toolkit.connectors.hashing import is_hashed
from cdp_toolkit.connectors.roster import json_texts, recalled
from cdp_toolkit.destinations.destination import Outcome


@dataclass(frozen=True)
class Moves:
    """What a list is to be told of a batch.

    Parameters
    ----------
    joining, leaving
        One row a person: ``_row``, the place in the batch, and a column an identifier. A person who stays under fewer
        identifiers is in both.
    outcomes
        One per row of the batch if the platform takes all of it.
    """

    joining: pl.DataFrame
    leaving: pl.DataFrame
    outcomes: list[Outcome]


class Roster:
    """Who joins and leaves the lists of one run.

    Parameters
    ----------
    keys
        Identifiers that alone name a person, the first one being that of an e-mail address, the second, if any, that
        of a phone number.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._joined: dict[str, list[pl.Series]] = {}

    def moves(self, audience: str, rows: pl.DataFrame, now: pl.DataFrame, key_now: pl.DataFrame) -> Moves:
        """Tell who joins and who leaves.

        Parameters
        ----------
        audience
            Whose list it is.
        rows
            See ``texts``; ``_refused`` holds the reason why a person may not join, if there is one.
        now
            What the platform is to be told of each row.
        key_now
            The same of the key that each row had when it was sent, for rows of which nothing else is known.

        Returns
        -------
        Moves
            Removals come first, then additions.
        """
        has_key = pl.any_horizontal(pl.col(key).is_not_null() for key in self._keys)
        stays = (rows["_action"] != "remove") & rows["_refused"].is_null() & now.select(has_key).to_series()
        before = recalled(rows, now.columns, key_now)
        joining = now.with_row_index("_row").filter(stays)
        self._joined.setdefault(audience, []).extend(joining[key].drop_nulls() for key in self._keys)
        gone = before.with_row_index("_row").filter(
            (rows["_action"] == "remove") | ((rows["_action"] == "update") & ~stays)
        )
        stale = self._stale(before, now).with_row_index("_row").filter((rows["_action"] == "update") & stays)
        leaving = self._without_joined(audience, pl.concat([gone, stale]).filter(has_key)).filter(has_key)
        return Moves(joining, leaving, _outcomes(rows, now, stays))

    def _stale(self, before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
        kept = {key: pl.when(before[key] != now[key].fill_null("")).then(before[key]) for key in self._keys}
        return before.select(**{name: kept.get(name, pl.lit(None, pl.String)) for name in before.columns})

    def _without_joined(self, audience: str, leaving: pl.DataFrame) -> pl.DataFrame:
        if not len(leaving):
            return leaving
        joined = pl.concat(self._joined[audience]).implode()
        return leaving.with_columns(pl.when(~pl.col(key).is_in(joined)).then(pl.col(key)) for key in self._keys)


def by_key(rows: pl.DataFrame, email: str, phone: str) -> pl.DataFrame:
    """Return the rows with nothing but the key that each was sent under.

    Parameters
    ----------
    rows
        See ``texts``.
    email, phone
        Fields that may have been the key.

    Returns
    -------
    polars.DataFrame
        The same rows; a key with an ``@``, and one that is a digest, is taken for an e-mail address.
    """
    key = pl.col("_row_key")
    is_email = key.str.contains("@", literal=True) | is_hashed(key)
    nothing = [pl.lit(None, pl.String).alias(name) for name in rows.columns if not name.startswith("_")]
    return rows.with_columns(nothing).with_columns(
        pl.when(is_email).then(key).alias(email), pl.when(~is_email).then(key).alias(phone)
    )


def _outcomes(rows: pl.DataFrame, now: pl.DataFrame, stays: pl.Series) -> list[Outcome]:
    states = zip(rows["_action"], stays, rows["_refused"], json_texts(now), strict=True)
    return [
        Outcome()
        if action == "remove"
        else Outcome(known_as=known)
        if is_in
        else Outcome("refused", reason or "neither e-mail address nor phone number is one")
        for action, is_in, reason, known in states
    ]
