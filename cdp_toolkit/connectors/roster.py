"""Lists of people at a platform that knows them by digests: who joins, who leaves, and what each was sent as.

Invariant: nobody is taken off by an identifier under which this run has put somebody on the same list. One person may
come back under a new address with the same phone number, in another batch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from cdp_toolkit.connectors.hashing import is_hashed
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Outcome
from cdp_toolkit.errors import ActivationError, ConfigError, SourceError, UnknownNameError

_NULLS = r',?"\w+":null'


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


def texts(rows: pa.Table, fields: Iterable[str]) -> pl.DataFrame:
    """Return the rows of a batch as text.

    Parameters
    ----------
    rows
        See ``Batch.rows``.
    fields
        What the platform may be told; null where it is not mapped.

    Returns
    -------
    polars.DataFrame
        The same rows: ``_action``, ``_row_key``, ``_known_as`` and the fields.
    """
    frame = pl.DataFrame(rows)
    wanted = ("_action", "_row_key", "_known_as", *fields)
    given = {name: pl.col(name) if name in frame.columns else pl.lit(None) for name in wanted}
    return frame.select(**{name: value.cast(pl.String) for name, value in given.items()})


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


def list_ids(destination: Destination, given: Mapping[str, str], setting: str) -> Mapping[str, str]:
    """Check that each audience has a list of its own.

    Parameters
    ----------
    destination
        Names the audiences.
    given
        Id of the list by audience.
    setting
        Which setting says so, for errors.

    Returns
    -------
    mapping
        ``given``.

    Raises
    ------
    ConfigError
        If an audience has none, or shares one.
    UnknownNameError
        If an id is given for what is no audience of the destination.
    """
    where = f"{destination.where}, {setting}"
    for name in given:
        if name not in destination.audiences:
            raise UnknownNameError("audience", name, destination.audiences, where=where)
    missing = [name for name in destination.audiences if name not in given]
    if missing:
        raise ConfigError(
            f"No list is named for {', '.join(missing)}.", where=where, hint=f"Add `{setting}: {{{missing[0]}: ID}}`."
        )
    if len(set(given.values())) < len(given):
        raise ConfigError(
            "Two audiences share a list, and who leaves one would leave the other.",
            where=where,
            hint="Give each audience a list of its own.",
        )
    return given


def json_texts(told: pl.DataFrame) -> pl.Series:
    """Return what a platform was told of each row as one text, to be remembered.

    Parameters
    ----------
    told
        Texts.

    Returns
    -------
    polars.Series
        A JSON object a row, without what is null.

    Examples
    --------
    >>> json_texts(pl.DataFrame({"email": ["ab", None], "phone": ["12", "34"]})).to_list()
    ['{"email":"ab","phone":"12"}', '{"phone":"34"}']
    """
    whole = told.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return whole.str.replace_all(_NULLS, "").str.replace("{,", "{", literal=True)


def recalled(rows: pl.DataFrame, columns: Sequence[str], by_key: pl.DataFrame) -> pl.DataFrame:
    """Return what a platform was told of each row before.

    Parameters
    ----------
    rows
        See ``texts``; ``_known_as`` is a text of ``json_texts``.
    columns
        What it may have been told.
    by_key
        What it was told if nothing is remembered but the key.

    Returns
    -------
    polars.DataFrame
        The same rows with these columns.
    """
    told = rows["_known_as"].str.json_decode(pl.Struct(dict.fromkeys(columns, pl.String)))
    known = pl.DataFrame({name: told.struct.field(name) for name in columns})
    is_unknown = rows["_known_as"].is_null()
    return known.select(**{name: pl.when(is_unknown).then(by_key[name]).otherwise(pl.col(name)) for name in columns})


def mapped(destination: Destination, usual: Mapping[str, str], known: Iterable[str]) -> Mapping[str, str]:
    """Return which field is told from where.

    Parameters
    ----------
    destination
        Its ``mapping`` adds to what is usual and replaces it.
    usual
        Column or path by field.
    known
        Fields that the platform takes.

    Returns
    -------
    mapping
        Column or path by field.

    Raises
    ------
    UnknownNameError
        If a field is mapped that the platform does not take; with the nearest names.
    """
    for field in destination.mapping:
        if field not in known:
            raise UnknownNameError("field", field, known, where=f"{destination.where}, mapping")
    return {**usual, **destination.mapping}


@contextmanager
def batch_errors() -> Iterator[None]:
    """Let a call that a vendor refused fail the batch, and the others go on.

    Raises
    ------
    ActivationError
        Instead of ``SourceError``.
    """
    try:
        yield
    except SourceError as error:
        raise ActivationError(error.message, where=error.where, hint=error.hint) from error


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
