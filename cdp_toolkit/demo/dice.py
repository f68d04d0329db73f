"""Chance that can be thrown again: the same seed and part give the same throws, whatever other parts do."""

import zlib
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]

MOMENT: pl.DataType = pl.Datetime("us", "UTC")


class Dice:
    """Random columns for one part of the world.

    Parameters
    ----------
    seed
        Seed of the world.
    part
        Name of the part; each part has throws of its own.

    Examples
    --------
    >>> bool((Dice(7, "people").whole(0, 9, rows=5) == Dice(7, "people").whole(0, 9, rows=5)).all())
    True
    """

    def __init__(self, seed: int, part: str) -> None:
        self._throw = np.random.default_rng([seed, zlib.crc32(part.encode())])

    def chance(self, probability: float, *, rows: int) -> pl.Series:
        """Return true for about ``probability`` of the rows.

        Parameters
        ----------
        probability
            Of being true.
        rows
            How many.
        """
        return pl.Series(self._throw.random(rows) < probability)

    def whole(self, low: int, high: int, *, rows: int) -> Whole:
        """Return whole numbers from ``low`` to ``high``, both included.

        Parameters
        ----------
        low, high
            First and last number that may come.
        rows
            How many.
        """
        return np.asarray(self._throw.integers(low, high, rows, endpoint=True), dtype=np.int64)

    def share(self, *, rows: int) -> Real:
        """Return numbers from 0 up to 1.

        Parameters
        ----------
        rows
            How many.
        """
        return np.asarray(self._throw.random(rows), dtype=np.float64)

    def lognormal(self, median: float, spread: float, *, rows: int) -> Real:
        """Return positive numbers around ``median``, with few that are very large.

        Parameters
        ----------
        median
            Half of the numbers are smaller.
        spread
            Standard deviation of their logarithms.
        rows
            How many.
        """
        return self._throw.lognormal(np.log(median), spread, rows)

    def early(self, lean: float, *, rows: int) -> Real:
        """Return numbers from 0 to 1 that lean to 0 the more, the larger ``lean`` is.

        Parameters
        ----------
        lean
            1 does not lean.
        rows
            How many.
        """
        return self._throw.beta(1.0, lean, rows)

    def counts(self, mean: float, weights: Real) -> Whole:
        """Return how often each row happens: ``mean`` times on average, in proportion to its weight.

        Parameters
        ----------
        mean
            Times a row, over all rows.
        weights
            Weight of each row.
        """
        return np.asarray(self._throw.poisson(mean * weights / weights.mean()), dtype=np.int64)

    def power(self, *, rows: int) -> Real:
        """Return weights of which few are large and most are small (Pareto, finite mean).

        Parameters
        ----------
        rows
            How many.
        """
        return 1 + np.minimum(self._throw.pareto(1.6, rows), 200.0)

    def order(self, size: int) -> Whole:
        """Return 0 … size-1, shuffled.

        Parameters
        ----------
        size
            How many.
        """
        return self._throw.permutation(size).astype(np.int64)

    def index(self, weights: Sequence[float] | Real, *, rows: int) -> Whole:
        """Return positions in ``weights``, the heavy ones more often.

        Parameters
        ----------
        weights
            Weight of each position.
        rows
            How many.
        """
        ends = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.asarray(np.searchsorted(ends, self._throw.random(rows) * ends[-1], side="right"), dtype=np.int64)

    def pick(self, options: Sequence[str], *, rows: int, weights: Sequence[float] | None = None) -> pl.Series:
        """Return one of the options a row, the heavy ones more often.

        Parameters
        ----------
        options
            What to pick from.
        rows
            How many.
        weights
            Weight of each option; all the same by default.
        """
        return pl.Series(list(options), dtype=pl.String).gather(self.index(weights or [1.0] * len(options), rows=rows))

    def before(self, as_of: datetime, days: tuple[float, float], *, rows: int) -> pl.Series:
        """Return moments, to the second, between so many days before ``as_of`` (negative days: after).

        Parameters
        ----------
        as_of
            The end of time, aware.
        days
            Least and most days.
        rows
            How many.
        """
        return days_before(as_of, days[0] + (days[1] - days[0]) * self.share(rows=rows))


def only(values: Whole, where: pl.Series) -> pl.Series:
    """Return the values, null where ``where`` is false.

    Parameters
    ----------
    values
        One number a row.
    where
        One truth a row.

    Returns
    -------
    polars.Series
        Whole numbers and nulls.
    """
    return pl.select(pl.when(where).then(pl.Series(values))).to_series()


def lasting(seconds: Whole | Real) -> pl.Series:
    """Return durations of so many whole seconds.

    Parameters
    ----------
    seconds
        One number a row.

    Returns
    -------
    polars.Series
        Durations.
    """
    return pl.Series(seconds.astype(np.int64) * 1_000_000).cast(pl.Duration("us"))


def days_before(as_of: datetime, days: Real) -> pl.Series:
    """Return the moments, to the second, so many days before ``as_of``.

    Parameters
    ----------
    as_of
        The end of time, aware.
    days
        Days before it, one a row.

    Returns
    -------
    polars.Series
        Moments in UTC.
    """
    seconds = int(as_of.timestamp()) - np.round(days * 86_400).astype(np.int64)
    return pl.Series(seconds * 1_000_000).cast(MOMENT)
