"""Records that tell of the same office as others: what one of them says decides what another's contact card is."""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.phones import add_e164

PLACED_BY = ("source_key", "work_phone", "postal_code", "country")
"""Columns of people that say where they are."""

_TAIL = 4
_PLAIN = "^[0-9 ()+./-]*$"


def at_the_same_places(people: Frame, others: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Return the people who may give the same postal code and phone as others.

    Of a plain number the last digits are those of its E.164, so that few numbers need be read: some too many are found, but
    nobody is missed, and of a place that is found all are.

    Parameters
    ----------
    people
        One row per record: the columns of ``PLACED_BY``.
    others
        Rows of the same columns, already run and few.
    rules
        Country that phone numbers are read in where a record names none.
    engine
        Reads numbers that are not plain.

    Returns
    -------
    Frame
        ``source_key``.
    """
    coded = people.with_columns(_code=_code()).filter(~nw.col("work_phone").is_null())
    asked = others.with_columns(_code=_code())
    near = engine.materialise(engine.among(coded, "_code", engine.materialise(asked.select("_code").drop_nulls())))
    found, wanted = (_with_tail(frame, rules, engine) for frame in (near, asked))
    return found.join(wanted.select("_code", "_tail").unique(), on=["_code", "_tail"], how="semi").select("source_key")


def _code() -> nw.Expr:
    return nw.col("postal_code").str.to_lowercase().str.replace_all("[ -]", "")


def _with_tail(people: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    phone = nw.col("work_phone")
    odd = people.with_columns(_odd=nw.when(~phone.str.contains(_PLAIN)).then(phone))
    read = add_e164(odd, "_odd", "country", "_e164", engine, region=rules.namespace("phone").region)
    digits = nw.coalesce(nw.col("_e164"), phone.str.replace_all("[^0-9]", ""))
    return read.with_columns(_tail=digits.str.slice(-_TAIL))
