"""Whatever people do, a platform that finds them by any identifier ends with those who are in, and with nobody else."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_toolkit.connectors.moves import Roster

IDENTIFIERS = ("email", "phone")


class Together:
    """Finds one person by all of a row's identifiers, so that any of them takes the person off."""

    def __init__(self):
        self.people = []

    def take_off(self, people):
        named = {name for person in people for name in person}
        self.people = [person for person in self.people if not named & person]

    def put_on(self, people):
        self.take_off(people)
        self.people += people

    def has(self):
        return sorted(map(sorted, self.people))

    @staticmethod
    def should_have(members):
        return sorted(sorted(filter(None, each)) for each in members)


class Apart:
    """Finds another person by each identifier, such as by a number that is somebody else's."""

    def __init__(self):
        self.people = set()

    def take_off(self, people):
        self.people -= {name for person in people for name in person}

    def put_on(self, people):
        self.people |= {name for person in people for name in person}

    def has(self):
        return sorted(self.people)

    @staticmethod
    def should_have(members):
        return sorted({name for each in members for name in each if name})


class Toolkit:
    """Tells the platform the differences, in batches, and remembers what it was told."""

    def __init__(self, platform, batch_rows):
        self.platform, self.batch_rows = platform, batch_rows
        self.told = {}

    def activate(self, members):
        now = {email: (email, phone) for email, phone in members}
        changed = [key for key in sorted({*now, *self.told}) if now.get(key) != self.told.get(key, (None,))[0]]
        roster = Roster(IDENTIFIERS)
        for start in range(0, len(changed), self.batch_rows):
            self._deliver(roster, changed[start : start + self.batch_rows], now)

    def _deliver(self, roster, keys, now):
        actions = ["remove" if key not in now else "update" if key in self.told else "add" for key in keys]
        known = [self.told.get(key, (None, None))[1] for key in keys]
        text = dict.fromkeys(("_action", "_known_as", "_refused"), pl.String)
        rows = pl.DataFrame({"_action": actions, "_known_as": known, "_refused": [None] * len(keys)}, schema=text)
        fields = [now.get(key, (None, None)) for key in keys]
        told = pl.DataFrame(fields, schema=dict.fromkeys(IDENTIFIERS, pl.String), orient="row")
        moves = roster.moves("buyers", rows, told, told)
        self.platform.take_off(named(moves.leaving))
        self.platform.put_on(named(moves.joining))
        for key, action, outcome in zip(keys, actions, moves.outcomes, strict=True):
            if action == "remove":
                self.told.pop(key)
            else:
                self.told[key] = (now[key], outcome.known_as)


def named(people):
    return [frozenset(name for name in row if name) for row in people.select(IDENTIFIERS).rows()]


addresses = st.sampled_from([f"e{number}" for number in range(5)])
numbers = st.none() | st.sampled_from([f"f{number}" for number in range(4)])
# Nobody shares an address or a number at a time; who has which changes from run to run.
audiences = st.lists(
    st.tuples(addresses, numbers), max_size=5, unique_by=(lambda each: each[0], lambda each: each[1] or each)
)


@pytest.mark.parametrize("kind", [Together, Apart])
@settings(max_examples=200, deadline=None)
@given(runs=st.lists(audiences, min_size=1, max_size=5), batch_rows=st.integers(1, 3))
def test_after_each_run_the_list_is_the_audience(kind, runs, batch_rows):
    platform = kind()
    toolkit = Toolkit(platform, batch_rows)

    for members in runs:
        toolkit.activate(members)

        assert platform.has() == platform.should_have(members)
