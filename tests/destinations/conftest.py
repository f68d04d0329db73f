"""A lake as small as can be, and a run of plan and delivery over it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.deliver import Delivered, deliver
from cdp_toolkit.destinations.destination import Connection, open_connection
from cdp_toolkit.destinations.doubts import clear_up
from cdp_toolkit.destinations.given import still_so
from cdp_toolkit.destinations.ledger import (
    ATTEMPTS,
    ATTEMPTS_TABLE,
    LEDGER,
    LEDGER_TABLE,
    next_entry,
    of_destination,
    unclear,
)
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.planning import Guard, make_plan
from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = pa.list_(pa.string())
PERSON = pa.schema(
    [
        ("profile_id", pa.int64()),
        ("email", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("work_phone", pa.string()),
        ("postal_code", pa.string()),
        ("country", pa.string()),
        ("person_score", pa.float64()),
        ("ecids", TEXTS),
        ("consent_email", pa.string()),
        ("consent_any", pa.string()),
        ("consent_postal", pa.string()),
        ("source_keys", TEXTS),
    ]
)
ACCOUNT = pa.schema(
    [
        ("profile_id", pa.int64()),
        ("account_name", pa.string()),
        ("domain", pa.string()),
        ("website", pa.string()),
        ("source_keys", TEXTS),
    ]
)
RECORD = pa.schema(
    [
        ("source_key", pa.string()),
        ("source_type", pa.string()),
        ("source_instance", pa.string()),
        ("source_id", pa.string()),
        ("email", pa.string()),
        ("ecids", TEXTS),
        ("updated_at", pa.timestamp("us", "UTC")),
        ("is_deleted", pa.bool_()),
    ]
)
MEMBER = pa.schema([("segment", pa.string()), ("profile_id", pa.int64()), ("status", pa.string())])


@dataclass
class World:
    """What the tables hold; ``activate`` does what the pipeline does."""

    engine: Engine
    folder: Path
    profiles: list[dict[str, Any]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, pa.Table] = field(
        default_factory=lambda: {ATTEMPTS_TABLE: ATTEMPTS.empty_table(), LEDGER_TABLE: LEDGER.empty_table()}
    )
    entity: str = "person"
    now: datetime = NOON

    def person(self, profile_id: int, *audiences: str, **values: Any) -> None:
        named = {"email": f"p{profile_id}@x.example", "first_name": f"P{profile_id}", "source_keys": []}
        self.profiles.append(named | {"profile_id": profile_id} | values)
        self.join(profile_id, *audiences)

    def account(self, profile_id: int, *audiences: str, **values: Any) -> None:
        self.entity = "account"
        self.profiles.append({"profile_id": profile_id} | values)
        self.join(profile_id, *audiences)

    def lead(self, profile_id: int, *audiences: str, email: str | None, **values: Any) -> None:
        key = f"{profile_id}@main.Marketo"
        self.record(key, email=email, ecids=values.get("ecids"))
        self.person(profile_id, *audiences, **({"email": email} | values | {"source_keys": [key]}))

    def crm(
        self, profile_id: int, *audiences: str, ids: tuple[str, ...], entity: str = "person", **values: Any
    ) -> None:
        keys = [f"{each}@main.Salesforce" for each in ids]
        for each in keys:
            self.record(each)
        add = self.person if entity == "person" else self.account
        add(profile_id, *audiences, **values, source_keys=keys)

    def record(self, key: str, **values: Any) -> None:
        source_id, instance, kind = key.replace("@", ".").split(".")
        own = {"source_key": key, "source_type": kind, "source_instance": instance, "source_id": source_id}
        self.records.append(own | {"is_deleted": False, "updated_at": NOON} | values)

    def join(self, profile_id: int, *audiences: str) -> None:
        self.members += [{"segment": each, "profile_id": profile_id, "status": "realized"} for each in audiences]

    def leave(self, profile_id: int) -> None:
        for member in self.members:
            if member["profile_id"] == profile_id:
                member["status"] = "exited"

    def change(self, profile_id: int, **values: Any) -> None:
        next(each for each in self.profiles if each["profile_id"] == profile_id).update(values)

    def frame(self, rows: list[dict[str, Any]], schema: pa.Schema) -> Frame:
        return self.engine.load(pa.Table.from_pylist(rows, schema=schema))

    @property
    def membership(self) -> Frame:
        return self.frame(self.members, MEMBER)

    def plan(
        self, destination: Destination, connection: Connection | None = None, *, guard: Guard | None = None
    ) -> Plan:
        return make_plan(
            destination,
            connection or open_connection(destination, self.folder),
            self.membership,
            self.frame(self.profiles, PERSON if self.entity == "person" else ACCOUNT),
            self.history(destination),
            engine=self.engine,
            as_of=self.now,
            entity=Model.standard().entity(self.entity),
            records=self.frame(self.records, RECORD),
            guard=guard,
        )

    @property
    def ledger(self) -> pa.Table:
        return self.tables[LEDGER_TABLE]

    def told(self) -> tuple[Frame, Frame]:
        return self.engine.load(self.tables[ATTEMPTS_TABLE]), self.engine.load(self.ledger)

    def history(self, destination: Destination) -> Frame:
        return of_destination(*self.told(), destination.name)

    def write(self, name: str, rows: pa.Table) -> None:
        self.tables[name] = pa.concat_tables([self.tables[name], rows])

    def forget_answers(self) -> None:
        """Leave the ledger as a run does that dies between sending and recording."""
        self.tables[LEDGER_TABLE] = LEDGER.empty_table()

    def entry(self) -> int:
        return self.engine.collect(next_entry(*self.told()))["entry"][0].as_py()

    def activate(
        self,
        destination: Destination,
        connection: Connection | None = None,
        *,
        given: Plan | None = None,
        guard: Guard | None = None,
    ) -> Delivered:
        connection = connection or open_connection(destination, self.folder)
        doubts = self.engine.collect(unclear(self.history(destination)))
        clear_up(doubts, destination, connection, self.write, entry=self.entry(), at=self.now)
        plan = self.plan(destination, connection, guard=guard)
        plan = still_so(given, plan)[0] if given else plan
        delivered = deliver(plan, connection, self.write, entry=self.entry(), at=self.now)
        self.now += timedelta(days=1)
        return delivered


@pytest.fixture
def world(engine, tmp_path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def steps():
    """Audience, profile, action and reason of a plan's rows."""

    def read(plan: Plan) -> list[tuple[Any, ...]]:
        columns = ("_audience", "_profile_id", "_action", "_reason")
        return sorted(zip(*(plan.rows[name].to_pylist() for name in columns), strict=True), key=repr)

    return read


@pytest.fixture
def world_of(engine):
    return lambda folder: World(engine, folder)
