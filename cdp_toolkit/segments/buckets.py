"""Profiles in buckets: ranges of ids of about the same number of profiles, so that memory is bounded by the bucket."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

import narwhals as nw
import numpy as np
import numpy.typing as npt

from cdp_toolkit.engines import Frame

# 10M people and 100M events need 0.7 GB so, whatever the number of people; larger buckets save little time.
BUCKET_SIZE = 500_000
_SLOTS = 1024

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bucket:
    """Some of the profiles of an entity.

    Parameters
    ----------
    first
        Smallest id; None where the bucket is open below.
    end
        Smallest id beyond; None where the bucket is open above.
    only
        One row per ``profile_id``: of the profiles in that range these alone; all of them by default.
    ids
        The same as an array in order, where they are few enough to be looked up one by one.
    known
        What has been looked up of them.
    """

    first: int | None = None
    end: int | None = None
    only: Frame | None = None
    ids: Ids | None = field(default=None, compare=False)
    known: dict[Hashable, Frame] = field(default_factory=dict, compare=False, repr=False)

    def of(self, rows: Frame, column: str = "profile_id") -> Frame:
        """Return the rows of the bucket's profiles.

        Parameters
        ----------
        rows
            Any rows.
        column
            Column with the id of the profile that a row belongs to.

        Returns
        -------
        Frame
            The rows whose profile is in the bucket.
        """
        if self.first is not None:
            rows = rows.filter(nw.col(column) >= self.first)
        if self.end is not None:
            rows = rows.filter(nw.col(column) < self.end)
        if self.only is not None:
            rows = rows.join(self.only.select("profile_id"), left_on=column, right_on="profile_id", how="semi")
        return rows


def buckets(profiles: Frame, *, size: int = BUCKET_SIZE, only: Frame | None = None) -> list[Bucket]:
    """Divide profiles into buckets.

    Parameters
    ----------
    profiles
        One row per ``profile_id``.
    size
        About how many profiles a bucket may hold.
    only
        One row per ``profile_id``: these profiles alone; all by default.

    Returns
    -------
    list of Bucket
        In the order of their ids; together they cover every id, each once.
    """
    asked = Bucket(only=only).of(profiles).select("profile_id")
    id_ = nw.col("profile_id")
    ((count,),) = _rows(asked.select(count=id_.count()))
    if count <= size:
        return [Bucket(only=only)]
    size = -(-count // -(-count // size))  # buckets of one size, not full ones and a rest
    ((first, last),) = _rows(asked.select(first=id_.min(), last=id_.max()))
    # Ids are hashes, but the smallest of those of a profile: more lie low than high, so they are counted and not assumed.
    width = (last - first) // _SLOTS + 1
    slots = asked.select(slot=(id_ - first) // width).group_by("slot").agg(count=nw.len())
    counts = [(slot, count) for slot, count in sorted(_rows(slots.select("slot", "count")))]
    cuts = [first + slot * width for slot in _full(counts, size)]
    return [Bucket(first, end, only) for first, end in zip([None, *cuts], [*cuts, None], strict=True)]


def _full(slots: Iterable[tuple[int, int]], size: int) -> Iterator[int]:
    """Return the slots before which a bucket ends."""
    held = 0
    for slot, count in slots:
        if held >= size - count // 2:
            yield slot
            held = 0
        held += count


def _rows(frame: Frame) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in frame.collect("pyarrow").rows()]
