"""What an instance of Marketo holds: leads, what they did, and the assets and objects around them."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import polars as pl

_ACTIVITY = {
    "guid": pl.Int64, "leadId": pl.Int64, "at": pl.Int64, "type": pl.Int64, "primaryId": pl.Int64,
    "primary": pl.String, "attributes": pl.String,
}  # fmt: skip
LEAD_FIELDS = {
    "id": "integer", "email": "email", "firstName": "string", "lastName": "string", "company": "string",
    "contactCompany": "reference", "sfdcContactId": "string", "leadScore": "score", "unsubscribed": "boolean",
    "seats__c": "integer", "createdAt": "datetime", "updatedAt": "datetime",
}  # fmt: skip
TYPES = {
    1: "Visit Webpage", 2: "Fill Out Form", 10: "Open Email", 12: "New Lead", 13: "Change Data Value", 24: "Add to List",
    25: "Remove from List", 32: "Merge Leads", 34: "Add to Opportunity", 37: "Delete Lead", 104: "Change Status in Progression",
    100_001: "Attend Conference",
}  # fmt: skip
DAY = 86_400


def iso(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


@dataclass
class World:
    """An instance. Times are seconds; ``now`` is its present, which moves only when something happens."""

    now: int = field(default_factory=lambda: int(time.time()) // 60 * 60)
    fields: dict[str, str] = field(default_factory=lambda: dict(LEAD_FIELDS))
    leads: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_lead_schema()))
    _activities: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_ACTIVITY))
    _late: list[dict[str, Any]] = field(default_factory=list)
    _emails: tuple[pl.DataFrame, pl.Series] | None = None
    lists: dict[int, dict[str, Any]] = field(default_factory=dict)
    members: dict[int, dict[int, None]] = field(default_factory=dict)
    programs: dict[int, dict[str, Any]] = field(default_factory=dict)
    program_members: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    has_ecids: bool = False

    @classmethod
    def of(cls, leads: int, activities_each: int = 5, *, days: int = 90) -> "World":
        """Make an instance whose leads and activities are spread over the last days."""
        world = cls()
        start, span = world.now - days * DAY, days * DAY - 3600
        ids = pl.int_range(1, leads + 1, eager=True)
        text = ids.cast(pl.String)
        created = start + ids * span // max(leads, 1)
        world.leads = pl.DataFrame(
            {
                "id": ids, "email": pl.select("p" + text + "@company" + (ids % 997).cast(pl.String) + ".example").to_series(),
                "firstName": pl.select(pl.lit("Ana") + text).to_series(), "lastName": pl.select(pl.lit("O'Brien, \"") + text + '"').to_series(),
                "company": pl.select("Company " + (ids % 997).cast(pl.String)).to_series(), "contactCompany": ids % 997 + 1,
                "sfdcContactId": pl.select(pl.lit("003") + text.str.zfill(15)).to_series(), "leadScore": ids % 100,
                "unsubscribed": ids % 10 == 0, "seats__c": ids % 7, "createdAt": created, "updatedAt": created,
            },
            schema=_lead_schema(),
        )  # fmt: skip
        count = leads * activities_each
        number = pl.int_range(0, count, eager=True)
        types = pl.Series([1, 2, 10, 104, 100_001])
        world.activities = pl.DataFrame(
            {
                "guid": number + 1, "leadId": number % max(leads, 1) + 1, "at": start + number * span // max(count, 1),
                "type": types.gather(number % len(types)), "primaryId": number % 50, "primary": pl.select(pl.lit("Page ") + (number % 50).cast(pl.String)).to_series(),
                "attributes": pl.select(pl.when(number % 2 == 0).then(pl.lit('{"Webpage URL":"/a, \\"b\\"","User Agent":"Browser"}')).otherwise(pl.lit("{}"))).to_series(),
            },
            schema=_ACTIVITY,
        )  # fmt: skip
        world.objects["companies"] = [_company(i) for i in range(1, min(leads, 997) + 1)]
        return world

    def tick(self, seconds: int = 60) -> int:
        self.now += seconds
        return self.now

    def add(self, **values: Any) -> int:
        """Make a lead, as its user interface would."""
        new = {"id": (self.leads["id"].max() or 0) + 1, "createdAt": self.tick(), "updatedAt": self.now, **values}
        self.leads = pl.concat([self.leads, pl.DataFrame([new], schema=self.leads.schema)])
        self.happen(12, new["id"])
        return int(new["id"])

    def change(self, lead: int, name: str, value: Any) -> None:
        """Change a field; as in reality only standard fields move the time of the last change."""
        is_it = pl.col("id") == lead
        moved = {} if name.endswith("__c") else {"updatedAt": self.tick()}
        self.leads = self.leads.with_columns(
            pl.when(is_it).then(pl.lit(each)).otherwise(pl.col(column)).alias(column)
            for column, each in {name: value, **moved}.items()
        )
        self.happen(13, lead, primary=name, attributes={"New Value": str(value), "Reason": "test"})

    def delete(self, lead: int) -> None:
        self.leads = self.leads.filter(pl.col("id") != lead)
        self.happen(37, lead)

    def merge(self, winner: int, loser: int) -> None:
        self.leads = self.leads.filter(pl.col("id") != loser)
        self.happen(32, winner, attributes={"Merge IDs": f"[{loser}]"})

    def put(self, lead: int, into: int) -> None:
        self.members.setdefault(into, {})[lead] = None
        self.happen(24, lead, primary_id=into)

    def take(self, lead: int, out_of: int) -> None:
        self.members[out_of].pop(lead, None)
        self.happen(25, lead, primary_id=out_of)

    def enrol(self, lead: int, program: int, status: str) -> None:
        known = self.program_members.setdefault(program, {})
        known[lead] = {"statusName": status, "membershipDate": iso(self.tick()), "updatedAt": iso(self.now)}
        self.happen(104, lead, primary_id=program, attributes={"New Status": status})

    def happen(self, kind: int, lead: int, *, primary_id: int = 0, primary: str = "", attributes: Any = None) -> None:
        row = {
            "guid": len(self._activities) + len(self._late) + 1, "leadId": lead, "at": self.tick(1), "type": kind, "primaryId": primary_id,
            "primary": primary, "attributes": json.dumps(attributes or {}),
        }  # fmt: skip
        self._late.append(row)

    @property
    def activities(self) -> pl.DataFrame:
        if self._late:
            self._activities = pl.concat([self._activities, pl.DataFrame(self._late, schema=_ACTIVITY)])
            self._late = []
        return self._activities

    @activities.setter
    def activities(self, rows: pl.DataFrame) -> None:
        self._activities, self._late = rows, []

    def by_email(self) -> pl.Series:
        """Return the addresses of all leads in small letters; worked out once for each state of the leads."""
        if self._emails is None or self._emails[0] is not self.leads:
            self._emails = (self.leads, self.leads["email"].str.to_lowercase())
        return self._emails[1]


def _lead_schema() -> dict[str, Any]:
    kinds = {"integer": pl.Int64, "score": pl.Int64, "reference": pl.Int64, "datetime": pl.Int64, "boolean": pl.Boolean}
    return {name: kinds.get(kind, pl.String) for name, kind in LEAD_FIELDS.items()}


def _company(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "company": f"Company {number - 1}",
        "industry": "Finance",
        "updatedAt": iso(0),
        "createdAt": iso(0),
    }
