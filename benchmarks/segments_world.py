"""A made-up world of profiles, straight as tables, for ``benchmarks/segments.py``: no line runs before it.

Per person 10 events over a year, 1.1 accounts, a fifth of a role; an account for 20 people with two opportunities.
Ids are drawn from all 63 bits, as hashes are. Nothing here depends on chance but for the seed.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 365
COUNTRIES = [f"Country {number}" for number in range(40)]
DEPARTMENTS = ["Sales", "Marketing", "Engineering", "Finance", "Human Resources", "Operations", "Legal", "Support"]
SOURCES = ["web", "event", "list", "partner", "referral", "advertisement"]
INDUSTRIES = [f"Industry {number}" for number in range(20)]
ROLES = ["Decision Maker", "Influencer", "Economic Buyer", "Evaluator", "User", "Other"]
TYPES = {
    "web.webpagedetails.pageViews": 0.6,
    "directMarketing.emailOpened": 0.15,
    "directMarketing.emailClicked": 0.1,
    "web.formFilledOut": 0.08,
    "leadOperation.scoreChanged": 0.07,
}
PAGES = [f"Page {number}" for number in range(200)]
_CHUNK = 5_000_000


def make_tables(home: Path, persons: int, *, by_person: bool) -> None:
    """Write all tables as Parquet, a folder a table; events in time order, or in that of their people."""
    dice = np.random.default_rng(42)
    people, accounts, deals = (_ids(dice, size) for size in (persons, persons // 20, persons // 10))
    _write(home, "person", 0, _people(dice, people))
    _write(home, "account", 0, _accounts(dice, accounts))
    _write(home, "opportunity", 0, _deals(dice, deals, accounts))
    second = dice.choice(people, persons // 10, replace=False)
    owners = np.concatenate([people, second])
    pairs = pl.DataFrame({"profile_id": owners, "account_id": dice.choice(accounts, len(owners))})
    _write(home, "person_account", 0, pairs.unique(maintain_order=True))
    _write(home, "opportunity_person", 0, _roles(dice, people, deals))
    for number, events in enumerate(_events(dice, people, persons * 10, by_person=by_person)):
        _write(home, "event", number, events)


def _write(home: Path, table: str, number: int, rows: pl.DataFrame) -> None:
    folder = home / table
    folder.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(folder / f"{number:04}.parquet")


def _ids(dice: np.random.Generator, size: int) -> np.ndarray:
    return np.unique(dice.integers(1, 2**63 - 1, int(size * 1.001) + 10))[:size]


def _drawn(dice: np.random.Generator, values: list[str], size: int, weights: np.ndarray | None = None) -> pl.Series:
    return pl.Series(values).gather(dice.choice(len(values), size, p=weights).astype(np.uint32))


def _skewed(size: int) -> np.ndarray:
    weights = 1 / np.arange(1, size + 1) ** 0.7
    return weights / weights.sum()


def _people(dice: np.random.Generator, ids: np.ndarray) -> pl.DataFrame:
    size = len(ids)
    seconds = dice.integers(0, 4 * DAYS * 86_400, size)
    return pl.DataFrame(
        {
            "profile_id": ids,
            "country": _drawn(dice, COUNTRIES, size, _skewed(len(COUNTRIES))),
            "department": _drawn(dice, DEPARTMENTS, size),
            "person_source": _drawn(dice, SOURCES, size),
            "person_score": pl.Series(dice.integers(0, 101, size)).cast(pl.Float64),
            "is_converted": dice.random(size) < 0.3,
            "created_at": _times(seconds, start=AS_OF - timedelta(days=4 * DAYS)),
        }
    )


def _accounts(dice: np.random.Generator, ids: np.ndarray) -> pl.DataFrame:
    size = len(ids)
    return pl.DataFrame(
        {
            "profile_id": ids,
            "industry": _drawn(dice, INDUSTRIES, size),
            "billing_country": _drawn(dice, COUNTRIES, size, _skewed(len(COUNTRIES))),
            "employees": dice.integers(1, 10_000, size),
            "annual_revenue": np.round(dice.pareto(1.2, size) * 1e6),
        }
    )


def _deals(dice: np.random.Generator, ids: np.ndarray, accounts: np.ndarray) -> pl.DataFrame:
    size = len(ids)
    is_closed = dice.random(size) < 0.6
    return pl.DataFrame(
        {
            "profile_id": ids,
            "account_id": dice.choice(accounts, size),
            "is_closed": is_closed,
            "is_won": is_closed & (dice.random(size) < 0.4),
            "amount": np.round(dice.pareto(1.5, size) * 1e5),
        }
    )


def _roles(dice: np.random.Generator, people: np.ndarray, deals: np.ndarray) -> pl.DataFrame:
    size = len(people) // 5
    return pl.DataFrame(
        {
            "profile_id": dice.choice(people, size),
            "opportunity_id": dice.choice(deals, size),
            "role": _drawn(dice, ROLES, size),
        }
    ).with_columns(source_key=pl.format("role-{}", pl.int_range(pl.len())))


def _events(dice: np.random.Generator, people: np.ndarray, size: int, *, by_person: bool) -> Iterator[pl.DataFrame]:
    seconds, made = DAYS * 86_400, 0
    while made < size:
        rows = min(_CHUNK, size - made)
        # A slice of the year for all people, or all of the year for a slice of the people.
        share = slice(made * len(people) // size, (made + rows) * len(people) // size)
        owners = np.sort(dice.choice(people[share], rows)) if by_person else dice.choice(people, rows)
        low, high = (0, seconds) if by_person else (made * seconds // size, (made + rows) * seconds // size)
        at = dice.integers(low, high, rows)
        yield pl.DataFrame(
            {
                "profile_id": owners,
                "event_type": _drawn(dice, list(TYPES), rows, np.array(list(TYPES.values()))),
                "page_name": _drawn(dice, PAGES, rows, _skewed(len(PAGES))),
                "timestamp": _times(at if by_person else np.sort(at), start=AS_OF - timedelta(days=DAYS)),
            }
        )
        made += rows


def _times(seconds: np.ndarray, *, start: datetime) -> pl.Series:
    micros = np.int64(start.timestamp() * 1e6) + seconds.astype(np.int64) * 1_000_000
    return pl.Series(micros).cast(pl.Datetime("us", "UTC"))


def cycle(values: list[str]) -> Callable[[int], str]:
    """Return a function that takes a value by its place, for ever."""
    return lambda place: values[place % len(values)]
