"""The made-up world: who truly exists, what each source exports of them, and which record is whom."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.dirt import Tables, dirty
from cdp_toolkit.demo.exports import make_exports
from cdp_toolkit.demo.reality import make_reality
from cdp_toolkit.demo.truth import list_employers, list_facts, list_records


@dataclass(frozen=True)
class World:
    """A world with known truth.

    Parameters
    ----------
    people, companies
        Who and what truly exists, one row each.
    sources
        Rows in each vendor's own columns, dirt included, by source and object, such as
        ``sources["marketo"]["leads"]``.
    truth
        One row an exported record: ``entity``, ``source_key``, ``true_id``, ``linkable_id``.
    employers
        One row a record of a person: ``source_key``, ``company`` (true id of the account where they work as the record
        says) and ``is_current``.
    facts
        What is in the world: settings, rows and bad rows by file, how often each difficulty occurs.
    """

    people: pl.DataFrame
    companies: pl.DataFrame
    sources: Tables
    truth: pl.DataFrame
    employers: pl.DataFrame
    facts: dict[str, object]


def make_world(persons: int, seed: int, as_of: datetime) -> World:
    """Make a world; the same arguments make the same world.

    Parameters
    ----------
    persons
        Number of true people; all else grows with it.
    seed
        Seed of all chance.
    as_of
        The end of time, aware: nothing is known later.

    Returns
    -------
    World
        The truth and every source's rows.
    """
    real = make_reality(persons, seed, as_of)
    clean = make_exports(real)
    sources = dirty(clean, Dice(seed, "dirt"))
    settings: dict[str, object] = {"persons": persons, "seed": seed, "as_of": as_of.isoformat()}
    truth = list_records(real, clean)
    return World(
        people=real.people,
        companies=real.companies,
        sources=sources,
        truth=truth,
        employers=list_employers(real),
        facts=settings | list_facts(real, clean, sources, truth),
    )
