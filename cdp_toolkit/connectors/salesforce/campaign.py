"""Campaigns that hold an audience each.

A member cannot be created twice, and one that is gone cannot be deleted: a batch that comes again changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.roster import batch_errors, list_ids
from cdp_toolkit.connectors.salesforce.client import COLLECTION, Client, select
from cdp_toolkit.connectors.salesforce.login import LoginSettings
from cdp_toolkit.connectors.salesforce.writing import CONTACT, LEAD, outcome, record, today, within, write
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.findings import Finding

_PERSON = {CONTACT: "ContactId", LEAD: "LeadId"}
_OURS = ("CampaignId", "ContactId", "LeadId", "Status")


class CampaignSettings(LoginSettings):
    """Settings of campaigns.

    Parameters
    ----------
    campaign_ids
        Id of the campaign of each audience.
    status
        Status of those who are added, one of the campaign's own; its usual one by default. Members who are there
        already keep theirs.
    instance
        The organisation, where there are several as sources.
    """

    campaign_ids: dict[str, str]
    status: str | None = None
    instance: str | None = None


class CampaignConnection:
    """Campaigns that contacts and leads join and leave.

    Parameters
    ----------
    destination
        Its definition; ``mapping`` names fields of the campaign member.
    folder
        Folder of the workspace.
    patience
        How often a call is repeated.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    entities = ("person",)
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    identity = ("record_id",)
    requires_source = "Salesforce"
    limits = Limits(batch_rows=COLLECTION, calls_per_batch=4)

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = read_settings(destination, CampaignSettings)
        self._ids = list_ids(destination, self._settings.campaign_ids, "campaign_ids")
        for field in destination.mapping:
            if field in (*_OURS, "record_id"):
                raise UnknownNameError("field to map", field, (), where=f"{destination.where}, mapping")
        self._mapped = tuple(destination.mapping)
        self.fields: Mapping[str, str] = {"record_id": "source_id", **destination.mapping}
        self.requires_instance = self._settings.instance
        self._where, self._patience = destination.where, patience
        self._joined: dict[str, set[str]] = {}

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Take out who left and put in who joined; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Known as the member, not as the person.
        """
        rows = batch.rows.to_pylist()
        with batch_errors():
            people = today(self._client, [row["_row_key"] for row in rows])
            members = self._members(self._ids[batch.audience], list(people.values()))
            joined = {people[row["_row_key"]] for row in rows if row["_action"] != "remove"}
            self._joined.setdefault(batch.audience, set()).update(joined)
            told = dict(self._delivered(rows, people, members, batch.audience))
        return [told[place] for place in range(len(rows))]

    def check(self) -> Sequence[Finding]:
        """Look at the login and at each campaign; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One a campaign.
        """
        ids = list(self._ids.values())
        names = {each["Id"]: each["Name"] for each in self._query("Campaign", ["Id", "Name"], within("Id", ids))}
        labels = self._query("CampaignMemberStatus", ["CampaignId", "Label"], within("CampaignId", ids))
        known = {(each["CampaignId"], each["Label"]) for each in labels}
        return [self._looked_at(audience, number, names, known) for audience, number in self._ids.items()]

    def _looked_at(self, audience: str, number: str, names: Mapping[str, str], known: set[tuple[str, str]]) -> Finding:
        what, status = f"campaign of {audience}", self._settings.status
        if number not in names:
            hint = "Check `campaign_ids` (18 characters), and that the user may read the campaign."
            return Finding(what, f"there is no campaign {number}", "problem", hint)
        if status is not None and (number, status) not in known:
            hint = "Add the status to the campaign, or name one that it has in `status`."
            return Finding(what, f"{names[number]} has no status {status!r}", "problem", hint)
        return Finding(what, names[number])

    def _delivered(
        self, rows: list[dict[str, Any]], people: Mapping[str, str], members: Mapping[str, str], audience: str
    ) -> Iterator[tuple[int, Outcome]]:
        # Who is put in under one id is not taken out under another, such as that of a lead who is a contact now.
        campaign, joining = self._ids[audience], self._joined[audience]
        removals: dict[int, str] = {}
        additions: dict[int, dict[str, Any]] = {}
        updates: dict[int, dict[str, Any]] = {}
        for place, row in enumerate(rows):
            person = people[row["_row_key"]]
            member = members.get(person)
            values = {field: row[field] for field in self._mapped} if row["_action"] != "remove" else {}
            if row["_action"] == "remove" and member and person not in joining:
                removals[place] = member
            elif row["_action"] == "remove":
                yield place, DELIVERED
            elif person[:3] not in _PERSON:
                yield place, Outcome("refused", "neither contact nor lead")
            elif member is None:
                additions[place] = self._addition(person, campaign, values)
            elif values:
                updates[place] = record("CampaignMember", Id=member, **values)
            else:
                yield place, Outcome(known_as=member)
        yield from self._written("POST", additions)
        yield from self._written("PATCH", updates)
        if removals:
            deleted = self._client.delete(list(removals.values()))
            yield from zip(removals, (outcome(each, is_removal=True) for each in deleted), strict=True)

    def _addition(self, person: str, campaign: str, values: Mapping[str, Any]) -> dict[str, Any]:
        status = {"Status": self._settings.status} if self._settings.status else {}
        return record("CampaignMember", CampaignId=campaign, **{_PERSON[person[:3]]: person}, **status, **values)

    def _written(self, method: str, records: Mapping[int, dict[str, Any]]) -> Iterator[tuple[int, Outcome]]:
        if records:
            yield from zip(records, map(outcome, write(self._client, method, list(records.values()))), strict=True)

    def _members(self, campaign: str, people: Sequence[str]) -> dict[str, str]:
        """Return the member of each person who is in a campaign."""
        found: dict[str, str] = {}
        for prefix, field in _PERSON.items():
            if ids := [each for each in people if each.startswith(prefix)]:
                where = f"CampaignId = '{campaign}' AND {within(field, ids)}"
                found |= {each[field]: each["Id"] for each in self._query("CampaignMember", ["Id", field], where)}
        return found

    def _query(self, name: str, fields: Sequence[str], where: str) -> list[dict[str, Any]]:
        return list(self._client.query(select(fields, name, where)))

    @cached_property
    def _client(self) -> Client:
        return Client(self._settings, where=self._where, patience=self._patience)
