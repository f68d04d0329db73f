"""Lists of people and companies at a platform: which fields they get, and what each row was sent as."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl
import pyarrow as pa

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ActivationError, ConfigError, SourceError, UnknownNameError

_NULLS = r',?"\w+":null'


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
