"""Vendors of ``live_load.py``: a stand-in with records and faults, the source that reads it, and what happens in between."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.salesforce.source import SalesforceSource
from tests.stand_ins.marketo import MarketoStandIn
from tests.stand_ins.marketo import make_app as marketo_app
from tests.stand_ins.marketo_world import World
from tests.stand_ins.salesforce import Salesforce
from tests.stand_ins.salesforce_objects import define_standard

DAY = timedelta(days=1)
MARKETO_FAULTS = {
    "expire": 31, "606": 37, "615": 41, "502": 29, "500": 43, "cut": 3, "corrupt": 5, "late": 4, "fail": 7, "empty": 5, "repeat": 7,
}  # fmt: skip
SALESFORCE_FAULTS = {"fails_every": 13, "dies_after": 17, "truncates": range(3, 10**6, 5), "cuts": range(4, 10**6, 7)}


@dataclass
class OfMarketo:
    """An instance with leads and their activities."""

    records: int
    each: int
    days: int
    secrets = {"MARKETO_SECRET": "secret-of-ours"}  # noqa: RUF012 - of the stand-in, never changed
    keys = {"leads": "id", "activities": "marketoGUID"}  # noqa: RUF012 - the same

    def serve(self) -> Any:
        """Return the instance, to be changed while it is served."""
        world = World.of(self.records, self.each, days=self.days)
        self.stand_in = MarketoStandIn(world, {**MARKETO_FAULTS}, window=(100, 0.2), quota=10**9)
        return self.stand_in.app

    def apart(self) -> tuple[str, dict[str, Any]]:
        """Return how to make the instance in a process of its own."""
        own = {"leads": self.records, "activities_each": self.each, "every": MARKETO_FAULTS, "window": [100, 0.2]}
        return f"{marketo_app.__module__}:make_app", {**own, "days": self.days}

    def source(self, url: str) -> dict[str, Any]:
        """Return what ``cdp.yaml`` says of it."""
        return {
            "type": "marketo", "instance": "123-ABC-456", "base_url": url, "client_id": "ours", "calls_a_day": 10**9,
            "client_secret": "${env:MARKETO_SECRET}",
            "since": (datetime.now(UTC) - timedelta(days=self.days + 10)).date().isoformat(),
            "pace": {"poll_s": 0.01, "first_pause_s": 0.01, "calls": 45, "seconds": 0.2},
        }  # fmt: skip

    @staticmethod
    def hurry() -> None:
        """Do nothing: the pace is a setting."""

    def happen(self) -> None:
        """Let leads be made, changed, deleted, merged and listed."""
        world = self.stand_in.world
        world.lists = {1001: {"id": 1001, "name": "List", "updatedAt": "2026-01-01T00:00:00Z+0000"}}
        for lead in range(1, self.records, max(self.records // 400, 1)):
            world.change(lead, "firstName", f"Changed {lead}")
            world.put(lead, 1001)
        for lead in range(2, 22, 2):
            world.delete(lead)
            world.merge(lead + 1, lead + 101)
            world.add(email=f"new{lead}@acme.example")

    def told(self) -> Any:
        """Return what went wrong, and how often."""
        return self.stand_in.codes

    def expected(self) -> dict[str, int]:
        """Return how many rows each object must have."""
        return {"leads": self.records, "activities": self.records * self.each}


@dataclass
class OfSalesforce:
    """An organisation with accounts and their contacts."""

    records: int
    each: int
    secrets = {"SF_SECRET": "secret", "SF_PASSWORD": "passtoken"}  # noqa: RUF012 - of the stand-in, never changed
    keys = {"Account": "Id", "Contact": "Id"}  # noqa: RUF012 - the same

    def serve(self) -> Any:
        """Return the organisation, to be changed while it is served."""
        self.org = make_org(self.records, self.each)
        return self.org.app()

    def apart(self) -> tuple[str, dict[str, Any]]:
        """Return how to make the organisation in a process of its own."""
        return "benchmarks.live_vendors:salesforce_app", {"records": self.records, "each": self.each}

    def source(self, url: str) -> dict[str, Any]:
        """Return what ``cdp.yaml`` says of it."""
        return {
            "type": "salesforce", "instance": "00D5g", "base_url": url, "login": "password", "client_id": "key",
            "username": "cdp@acme.example", "client_secret": "${env:SF_SECRET}", "password": "${env:SF_PASSWORD}",
            "objects": ["Account", "Contact"], "page_rows": max(self.records // 20, 100),
        }  # fmt: skip

    @staticmethod
    def hurry() -> None:
        """Let this process wait for nothing longer than the stand-in needs."""
        SalesforceSource.patience, SalesforceSource.poll_s = Patience(first_s=0.01, most_s=1.0), 0.01

    def happen(self) -> None:
        """Let contacts be made, changed, merged, and deleted within the recycle bin and beyond it."""
        org, now = self.org, datetime.now(UTC)
        org.clock = lambda: datetime.now(UTC)
        ids = list(org.records["Contact"])
        for number in ids[:: max(len(ids) // 400, 1)]:
            org.save("Contact", Id=number, FirstName="Changed")
            org.save("Contact", LastName="New", Email=f"new.{number}@acme.example")
        for one, two, three in zip(ids[1:90:3], ids[2:90:3], ids[101:200:3], strict=False):
            org.delete("Contact", one)
            org.delete("Contact", two, now - DAY / 2, purge=True)
            org.delete("Contact", three, master=ids[-1])

    def told(self) -> Any:
        """Return how often it was called."""
        return {"calls": self.org.calls}

    def expected(self) -> dict[str, int]:
        """Return how many rows each object must have."""
        return {"Account": self.records // self.each, "Contact": self.records}


def make_org(records: int, each: int) -> Salesforce:
    """Make an organisation of yesterday, with faults."""
    org = Salesforce()
    define_standard(org)
    org.daily_calls = 10**9
    org.clock = lambda: datetime.now(UTC) - DAY
    for name, value in SALESFORCE_FAULTS.items():
        setattr(org.faults, name, value)
    for number in range(records // each):
        account = org.save("Account", Name=f"Company {number}, Inc.", Description='He said "yes",\nthen left.')
        for place in range(each):
            org.save("Contact", LastName=f"Li {place}", Email=f"p{number}.{place}@acme.example", AccountId=account)
    return org


def salesforce_app(records: int, each: int) -> Any:
    """Return the app of an organisation."""
    return make_org(records, each).app()


VENDORS = {"marketo": OfMarketo, "salesforce": OfSalesforce}
