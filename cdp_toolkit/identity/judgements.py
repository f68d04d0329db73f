"""What people decided about records, kept in a file that outlives every run: these are one, those are not.

A judgement is a handful of identities like any other: "same" is one value on all of its records, in the namespace that
is believed most; "not the same" is a value a record, of which no profile may hold two.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Self

import narwhals as nw
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import ConfigError

Keys = Annotated[tuple[str, ...], Field(min_length=2)]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ROWS = pa.schema({name: pa.string() for name in ("entity", "source_key", "namespace", "value", "_spoken")})


class Judgement(BaseModel):
    """An analyst's "same" or "not the same", one item of the list in ``judgements.yaml``.

    Parameters
    ----------
    same
        Source keys of records that are one, whatever their values say.
    not_the_same
        Source keys of records of which no two are one, whatever they share.
    entity
        Whose records they are.
    because
        Why, for whoever reads it later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    same: Keys | None = None
    not_the_same: Keys | None = None
    entity: str = "person"
    because: str = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.same is None) == (self.not_the_same is None):
            raise ValueError("a judgement says either `same` or `not_the_same`")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The records it is about."""
        return self.same or self.not_the_same or ()


class Judgements(BaseModel):
    """All judgements of a workspace: the list in ``judgements.yaml``.

    Parameters
    ----------
    judgements
        One item a decision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judgements: list[Judgement] = []


def check_judgements(judgements: Sequence[Judgement], *, where: str = "judgements.yaml") -> None:
    """Check that no two judgements contradict each other.

    Parameters
    ----------
    judgements
        All of a workspace.
    where
        File that they are written in, for the error.

    Raises
    ------
    ConfigError
        If records are judged to be the same, be it by way of others, and not to be.
    """
    groups: dict[str, set[str]] = {}
    for judgement in judgements:
        together = set(judgement.same or ()).union(*(groups.get(key, set()) for key in judgement.same or ()))
        groups |= dict.fromkeys(together, together)
    for judgement in judgements:
        apart = judgement.not_the_same or ()
        for place, key in enumerate(apart):
            if other := next((each for each in apart[place + 1 :] if each in groups.get(key, {key})), None):
                raise ConfigError(
                    f"{key} and {other} are judged to be the same and not to be.",
                    where=where,
                    hint="Delete one of the judgements.",
                )


def judged_identities(judgements: Sequence[Judgement], records: Frame, engine: Engine) -> Frame:
    """Return what judgements say as identities of the records.

    Parameters
    ----------
    judgements
        All of a workspace.
    records
        One row per record: ``entity``, ``source_key``.
    engine
        Hashes.

    Returns
    -------
    Frame
        One row per record and judgement, with the columns of ``entities/identities``; none for records that are not
        there.
    """
    rows = [
        {"entity": judgement.entity, "source_key": key, "namespace": namespace, "value": value}
        for number, judgement in enumerate(judgements, 1)
        for key in judgement.keys
        for namespace, value in [_said(judgement, number, key)]
    ]
    spoken = [row | {"_spoken": f"{row['namespace']}:{row['value']}"} for row in rows]
    told = engine.load(pa.Table.from_pylist(spoken, schema=_ROWS))
    known = told.join(records.select("entity", "source_key"), on=["entity", "source_key"], how="semi")
    keyed = engine.key64(known, {"record_key": "source_key", "value_key": "_spoken"})
    return keyed.with_columns(seen_at=nw.lit(EPOCH).cast(nw.Datetime("us", "UTC"))).drop("_spoken")


def _said(judgement: Judgement, number: int, key: str) -> tuple[str, str]:
    if judgement.same:
        return "judged_same", str(number)
    return "judged_apart", f"{number}|{key}"
