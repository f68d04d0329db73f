"""One person or account on a page: its values and whose they are, what it did, what it belongs to, and why."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import narwhals as nw
import polars as pl

from cdp_toolkit.explore import profile_charts as draw
from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.explore.identity import draw as draw_identity
from cdp_toolkit.explore.masked import masked
from cdp_toolkit.explore.numbers.reading import read
from cdp_toolkit.model.personal import is_personal, mask, mask_addresses
from cdp_toolkit.profile import Profile
from cdp_toolkit.profiles.page import text
from cdp_toolkit.workspace import Workspace

_EVENTS = 2_000
_WHY = 8


def profile_page(ws: Workspace, profile: Profile, *, is_masked: bool = True) -> Page:
    """Return the page of a person or an account.

    Parameters
    ----------
    ws
        The workspace.
    profile
        As ``ws.profile("anna@acme.example")`` or ``ws.account("Acme")`` finds it.
    is_masked
        Whether values that say who somebody is are hidden; shown whole only when asked for.

    Returns
    -------
    Page
        Values with their origin, and all that belongs to the profile.
    """
    page = _Profile(ws, profile, is_masked)
    own = page.of_person if profile.entity == "person" else page.of_account
    told = f"{profile.entity} {profile.profile_id}, {text(profile.values['records'])} records"
    hidden = "Personal data is masked." if is_masked else "Personal data is shown."
    return Page(page.name, f"{told}. {hidden} {profile.account_match}".strip(), (page.values, *own(), *page.why()))


class _Profile:
    """The parts of a profile's page."""

    def __init__(self, ws: Workspace, profile: Profile, is_masked: bool) -> None:  # noqa: FBT001 - of this file alone
        self.ws, self.lake, self.profile, self.is_masked = ws, ws.lake, profile, is_masked

    @property
    def name(self) -> str:
        known = self.profile.values
        names = [known.get("first_name"), known.get("last_name")]
        told = str(known.get("account_name") or " ".join(filter(None, names)) or known.get("email") or "")
        if self.profile.entity == "person" and self.is_masked:
            told = " ".join(map(mask, told.split()))
        return told or str(self.profile.profile_id)

    @property
    def values(self) -> Section:
        fields = self.ws.model.entity(self.profile.entity).fields
        rows = []
        for each in self.profile.origins:
            field = fields.get(each["column"])
            hides = self.is_masked and field is not None and is_personal(field)
            is_key = field is not None and field.type in {"key", "keys"}
            others = [mask(other) if hides else other for other in each["others"]]
            rows.append({
                "column": each["column"].replace("_", " "),
                "value": text(each["value"]) if is_key else self._hidden(text(each["value"]), always=hides),
                "others say": ", ".join(others if is_key else map(self._hidden, others)),
                "_origin": self._origin(each),
            })  # fmt: skip
        schema = dict.fromkeys(("column", "value", "others say", "_origin"), pl.String)
        half = -(-len(rows) // 2)
        columns = [pl.DataFrame(part, schema=schema) for part in (rows[:half], rows[half:])]
        lead = "The golden value of each column; rest the mouse on a row to see whose it is and by which rule."
        return Section("Values", lead, tuple(Card("", frame, hover="_origin") for frame in columns if frame.height))

    @staticmethod
    def _origin(each: Mapping[str, Any]) -> str:
        at = f", {text(each['updated_at'])}" if each["updated_at"] else ""
        return f"{each['source_key']} ({each['rule']}{at})" if each["source_key"] else str(each["rule"])

    def _hidden(self, told: str, *, always: bool = False) -> str:
        """Hide a value that says who somebody is, and addresses wherever they are written."""
        if not self.is_masked:
            return told
        if always:
            return ", ".join(map(mask, told.split(", ")))
        return mask_addresses(told)

    def _people(self, rows: pl.DataFrame, entity: str = "person") -> pl.DataFrame:
        return masked(rows, entity=entity, model=self.ws.model) if self.is_masked else rows

    def _read(self, rows: Any) -> pl.DataFrame:
        return read(self.lake, rows)

    def of_person(self) -> Sequence[Section]:
        own = nw.col("profile_id") == self.profile.profile_id
        events = self._events(own)
        deals = self.lake.scan("profiles/opportunity").select(
            "opportunity_name", "stage", "amount", "is_closed", "is_won", "account_id", opportunity_id="profile_id"
        )
        roles = self.lake.scan("profiles/opportunity_person").filter(own).select("role", "opportunity_id")
        joined = roles.join(deals, on="opportunity_id", how="inner").drop("opportunity_id", "account_id")
        near = self.profile.neighbours
        return (
            Section("What happened", "Each event at its time.", (
                Card("Events", events, draw.timeline, "Nothing is known of what they did.", is_wide=True),
                Card("Latest events", events.head(12), is_wide=True),
            )),
            Section("Accounts and deals", "Whom they work for, and their roles on deals.", (
                Card("Accounts", _rows(near["accounts"], drop=("profile_id",)), empty="At no account."),
                Card("Roles on deals", self._read(joined), empty="No role on a deal."),
            )),
            Section("Identity", "Which records are this person, what ties them, and what was not allowed to.", (
                self._graph(),
                Card("Records", self._people(_filled(_rows(near["components"], drop=("person_key", "source_type", "source_instance", "source_id")))), is_wide=True),
            )),
        )  # fmt: skip

    def _events(self, own: Any) -> pl.DataFrame:
        details = ("page_name", "form_name", "mailing_name", "new_status", "page_url")
        latest = self.lake.scan("profiles/event").filter(own).sort("timestamp", descending=True).head(_EVENTS)
        rows = self._read(latest.select("timestamp", "event_type", *details)).sort("timestamp", descending=True)
        return rows.select("timestamp", "event_type", what=pl.coalesce(details))

    def of_account(self) -> Sequence[Section]:
        near, own = self.profile.neighbours, self.profile.profile_id
        deals = _rows(near["opportunities"], drop=("profile_id",))
        return (
            Section("People", "Who works there, the first of them, and in which roles.", (
                Card("People", self._people(_rows(near["people"], drop=("profile_id",)).head(15)), empty="Nobody is known."),
                Card("Roles", _rows(near["roles"]), empty="No roles are known."),
            )),
            Section("Hierarchy", "Above and below.", (Card("Family", self._family(), empty="It stands alone."),)),
            Section("Deals", "What they may buy.", (
                Card("Deals", deals, draw.deals, "No deals."),
                Card("All deals", deals, empty="No deals."),
            )),
            Section("Engagement", "What its people did, a week.", (
                Card("Engagement", self._engagement(own), draw.engagement, "Nobody did anything.", is_wide=True),
            )),
            Section("Identity", "Which records are this account, what ties them, and what was not allowed to.", (self._graph(),)),
        )  # fmt: skip

    def _graph(self) -> Card:
        found = self.profile.identity
        return Card(
            "Identity graph",
            pl.DataFrame({"record": found.records}, schema={"record": pl.String}),
            partial(_drawn, found, self.is_masked),
            is_wide=True,
        )

    def _engagement(self, account: int) -> pl.DataFrame:
        people = self.lake.scan("profiles/person_account").filter(nw.col("account_id") == account).select("profile_id")
        events = self.lake.scan("profiles/event").join(people, on="profile_id", how="semi")
        counted = events.with_columns(day=nw.col("timestamp").dt.truncate("1d")).group_by("day")
        days = self._read(counted.agg(events=nw.len().cast(nw.Int64)))
        weeks = days.group_by(week=pl.col("day").dt.truncate("1w")).agg(pl.col("events").sum())
        return weeks.sort("week").tail(52)

    def _family(self) -> pl.DataFrame:
        accounts = self.lake.scan("profiles/account").select("profile_id", "account_name", "industry", "parent_id")
        known, own = self.profile.values, self.profile.profile_id
        family = nw.col("parent_id") == own
        for above in ("parent_id", "ultimate_parent_id"):
            if known.get(above) not in (None, own):
                family = family | (nw.col("profile_id") == known[above])
        rows = self._read(accounts.filter(family)).sort("account_name")
        below = pl.when(pl.col("parent_id") == own).then(pl.lit("subsidiary")).otherwise(pl.lit("parent"))
        return rows.select("account_name", "industry", position=below)

    def why(self) -> Sequence[Section]:
        inside = [each for each in self.profile.segments if each["status"] == "realized"]
        left = [each for each in self.profile.segments if each["status"] != "realized"]
        rows = [
            {"segment": each["segment"], "since": each["last_qualified_at"], "why": self._because(each["segment"])}
            for each in inside[:_WHY]
        ]
        schema = pl.Schema({"segment": pl.String(), "since": pl.Datetime("us", "UTC"), "why": pl.String()})
        gone = [{"segment": each["segment"], "left_at": each["exited_at"]} for each in left]
        before = pl.DataFrame(gone, schema=pl.Schema({"segment": pl.String(), "left_at": pl.Datetime("us", "UTC")}))
        lead = "Audiences that it is in, each with the facts that decide."
        return (Section("Audiences", lead, (Card("In", pl.DataFrame(rows, schema=schema), empty="In no audience.", is_wide=True),
                                            Card("Left", before, empty="It left none."))),)  # fmt: skip

    def _because(self, segment: str) -> str:
        if segment not in self.ws.segments:
            return "its file is gone"
        lines = [line.strip() for line in str(self.ws.explain(segment, self.profile)).splitlines()]
        rows = [line.partition(": ")[2] for line in lines if line.startswith("✓ row ")]
        values = [line for line in lines if " = " in line and not line.startswith(("✓", "✗", "?"))]
        return self._hidden("; ".join([*values, *rows][:4]) or (lines[0] if lines else ""))


def _drawn(found: Any, is_masked: bool, _: pl.DataFrame) -> Any:  # noqa: FBT001 - as a card calls it
    return draw_identity(found, is_masked=is_masked)


def _rows(rows: Sequence[Mapping[str, Any]], *, drop: Sequence[str] = ()) -> pl.DataFrame:
    return pl.DataFrame(
        [{name: value for name, value in row.items() if name not in drop} for row in rows], infer_schema_length=None
    )


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows without the columns that hold nothing."""
    return rows.select([name for name in rows.columns if rows[name].null_count() < rows.height])
