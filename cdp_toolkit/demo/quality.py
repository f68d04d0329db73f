"""How well a stitching found the truth."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw


@dataclass(frozen=True)
class StitchQuality:
    """How well records were stitched, over pairs of records.

    Parameters
    ----------
    precision
        Share of the pairs put together that belong together.
    recall
        Share of the pairs that belong together and that the exports tie, that were put together.
    records
        Records judged.
    left_out
        Records of the truth that have no profile, such as deleted ones.
    reach
        Share of the pairs that belong together that the exports tie: no stitching is sure to find the others.
    """

    precision: float
    recall: float
    records: int
    left_out: int
    reach: float = 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def evaluate_stitching(person_ids: Any, truth: Any, *, entity: str = "person") -> StitchQuality:
    """Compare a stitching with the truth.

    Pairs are counted by the sizes of groups (n records make n(n-1)/2 pairs), never listed.

    Parameters
    ----------
    person_ids
        One row a record: ``source_key``, ``profile_id``; a frame of any engine.
    truth
        One row a record: ``entity``, ``source_key``, ``true_id`` and, if only some records of a true id can be linked by
        what the exports say, ``linkable_id``; a frame of the same engine.
    entity
        Which records of the truth to judge.

    Returns
    -------
    StitchQuality
        Precision, recall, and how many records they rest on.

    Examples
    --------
    >>> import polars as pl
    >>> truth = pl.DataFrame({"entity": ["person"] * 4, "source_key": ["a", "b", "c", "d"], "true_id": [1, 1, 1, 2]})
    >>> evaluate_stitching(pl.DataFrame({"source_key": ["a", "b", "c", "d"], "profile_id": [1, 1, 2, 2]}), truth)
    StitchQuality(precision=0.5, recall=0.3333333333333333, records=4, left_out=0, reach=1.0)
    """
    known = nw.from_native(truth).lazy().filter(nw.col("entity") == entity)
    linkable = "linkable_id" if "linkable_id" in known.collect_schema().names() else "true_id"
    known = known.select("source_key", "true_id", linkable_id=linkable)
    found = nw.from_native(person_ids).lazy().select("source_key", "profile_id")
    judged = known.join(found, on="source_key", how="inner").select("true_id", "linkable_id", "profile_id")
    right, put, belong = (_pairs(judged, *by) for by in (("true_id", "profile_id"), ("profile_id",), ("true_id",)))
    reached, tied = (_pairs(judged, *by) for by in (("linkable_id", "profile_id"), ("linkable_id",)))
    records = _rows(judged)
    return StitchQuality(
        precision=right / put if put else 1.0,
        recall=reached / tied if tied else 1.0,
        records=records,
        left_out=_rows(known) - records,
        reach=tied / belong if belong else 1.0,
    )


def _pairs(judged: nw.LazyFrame[Any], *by: str) -> int:
    sizes = judged.group_by(*by).agg(size=nw.len()).select(size=nw.col("size").cast(nw.Int64()))
    total = sizes.select(pairs=(nw.col("size") * (nw.col("size") - 1) // 2).sum()).collect()
    return int(total.item() or 0)


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(frame.select(nw.len()).collect().item())
