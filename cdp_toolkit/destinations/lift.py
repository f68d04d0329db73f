"""What sending did: those who were sent beside those who were held out."""

import math
from dataclasses import dataclass

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame


@dataclass(frozen=True)
class Lift:
    """How many of those who were sent, and of those who were held out, did what was hoped for.

    Parameters
    ----------
    group
        Name of the holdout group.
    sent, sent_reached
        People who were sent, and those of them in the segment that says who did it.
    held_out, held_out_reached
        The same of those held out.

    Examples
    --------
    >>> Lift("spring", 9_000, 450, 1_000, 40)
    spring: 5.0% of 9,000 sent, 4.0% of 1,000 held out: 1.0 points more, between -0.3 and 2.3
    """

    group: str
    sent: int
    sent_reached: int
    held_out: int
    held_out_reached: int

    @property
    def points(self) -> float:
        """Difference of the two shares, from -1 to 1."""
        return _share(self.sent_reached, self.sent) - _share(self.held_out_reached, self.held_out)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the difference lies with 95 % confidence, by the normal approximation of two independent shares."""
        shares = ((self.sent_reached, self.sent), (self.held_out_reached, self.held_out))
        variance = sum(_share(reached, of) * (1 - _share(reached, of)) / max(of, 1) for reached, of in shares)
        reach = 1.96 * math.sqrt(variance)
        return self.points - reach, self.points + reach

    def __str__(self) -> str:
        """Return it as one sentence."""
        low, high = self.interval
        return (
            f"{self.group}: {_share(self.sent_reached, self.sent):.1%} of {self.sent:,} sent, "
            f"{_share(self.held_out_reached, self.held_out):.1%} of {self.held_out:,} held out: "
            f"{100 * self.points:.1f} points more, between {100 * low:.1f} and {100 * high:.1f}"
        )

    __repr__ = __str__


def lift(group: str, ledger: Frame, reached: Frame, engine: Engine) -> Lift:
    """Compare those who were sent with those whom a group held out, at the same destinations and audiences.

    Parameters
    ----------
    group
        Name of the holdout group.
    ledger
        ``activation/ledger``.
    reached
        One row per profile that did what was hoped for: ``profile_id``.
    engine
        Runs it.

    Returns
    -------
    Lift
        Each profile counts once: as held out if it ever was, else as sent.
    """
    is_out = (nw.col("outcome") == "refused") & (nw.col("reason") == f"held out in {group}")
    places = ledger.filter(is_out).select("destination", "audience").unique()
    is_sent = (nw.col("outcome") == "delivered") & nw.col("action").is_in(["add", "update"])
    told = ledger.filter(is_out.fill_null(False) | is_sent).join(places, on=["destination", "audience"], how="semi")
    people = told.group_by("profile_id").agg(_is_out=(nw.col("outcome") == "refused").cast(nw.Int64).max())
    did = reached.select("profile_id", _did=nw.lit(1)).unique()
    marked = people.join(did, on="profile_id", how="left").with_columns(_did=nw.col("_did").fill_null(0))
    counted = engine.collect(marked.group_by("_is_out").agg(of=nw.len(), reached=nw.col("_did").sum())).to_pylist()
    found = {int(row["_is_out"]): (int(row["of"]), int(row["reached"])) for row in counted}
    return Lift(group, *found.get(0, (0, 0)), *found.get(1, (0, 0)))


def _share(reached: int, of: int) -> float:
    return reached / of if of else 0.0
