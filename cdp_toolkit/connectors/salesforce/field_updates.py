"""Fields of contacts, leads and accounts that say what a profile says, or which audiences it is in.

An update sets a value: a batch that comes again changes nothing. Nobody is created.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.roster import batch_errors
from cdp_toolkit.connectors.salesforce.client import COLLECTION, Client
from cdp_toolkit.connectors.salesforce.login import LoginSettings
from cdp_toolkit.connectors.salesforce.writing import OBJECTS, outcome, record, today, write
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.findings import Finding


class FieldSettings(LoginSettings):
    """Settings of field updates.

    Parameters
    ----------
    objects
        Objects whose records are updated; a person or account that is none of them is refused.
    flags
        For an audience a checkbox that is true for its members and false for who left.
    on_leaving
        Whether the mapped fields of who leaves are kept or emptied.
    instance
        The organisation, where there are several as sources.
    """

    objects: tuple[Literal["Contact", "Lead", "Account"], ...] = ("Contact", "Lead", "Account")
    flags: dict[str, str] = Field(default_factory=dict)
    on_leaving: Literal["keep", "empty"] = "keep"
    instance: str | None = None


class FieldConnection:
    """Records whose fields are set.

    Parameters
    ----------
    destination
        Its definition; ``mapping`` names fields of the records.
    folder
        Folder of the workspace.
    patience
        How often a call is repeated.

    Raises
    ------
    ConfigError
        If a setting is wrong, or no field is named.
    """

    entities = ("person", "account")
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    identity = ("record_id",)
    requires_source = "Salesforce"
    limits = Limits(batch_rows=COLLECTION, calls_per_batch=2)

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = read_settings(destination, FieldSettings)
        for audience in self._settings.flags:
            if audience not in destination.audiences:
                raise UnknownNameError("audience", audience, destination.audiences, where=f"{destination.where}, flags")
        if not (destination.mapping or self._settings.flags):
            raise ConfigError(
                "No field is named.", where=destination.where, hint="Add `mapping: {Field__c: column}`, or `flags`."
            )
        self._mapped = tuple(destination.mapping)
        self.fields: Mapping[str, str] = {"record_id": "source_id", **destination.mapping}
        self.requires_instance = self._settings.instance
        self._where, self._patience = destination.where, patience

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Set the fields; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            One per row.
        """
        rows = batch.rows.to_pylist()
        outcomes: list[Outcome] = [DELIVERED] * len(rows)
        updates: dict[int, dict[str, Any]] = {}
        with batch_errors():
            known = today(self._client, [row["_row_key"] for row in rows])
            # Records of one object stand together: a collection may change its object ten times at the most.
            for place, row in sorted(enumerate(rows), key=lambda each: known[each[1]["_row_key"]][:3]):
                number = known[row["_row_key"]]
                name = OBJECTS.get(number[:3], number[:3])
                values = self._values(row, batch.audience)
                if name not in self._settings.objects:
                    outcomes[place] = Outcome("refused", f"a record of {name}")
                elif values:
                    updates[place] = record(name, Id=number, **values)
            if updates:
                for place, result in zip(updates, write(self._client, "PATCH", list(updates.values())), strict=True):
                    outcomes[place] = outcome(result)
        return outcomes

    def check(self) -> Sequence[Finding]:
        """Look at the login and at the fields; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One an object and field.
        """
        wanted = [*self._mapped, *self._settings.flags.values()]
        found = []
        for name in self._settings.objects:
            can = {field["name"]: field.get("updateable", True) for field in self._client.describe(name)}
            found += [_looked_at(name, field, can) for field in wanted]
        return found

    def _values(self, row: Mapping[str, Any], audience: str) -> dict[str, Any]:
        is_in = row["_action"] != "remove"
        flag = self._settings.flags.get(audience)
        told: dict[str, Any] = {flag: is_in} if flag else {}
        if is_in:
            return {**told, **{field: row[field] for field in self._mapped}}
        return {**told, **(dict.fromkeys(self._mapped) if self._settings.on_leaving == "empty" else {})}

    @cached_property
    def _client(self) -> Client:
        return Client(self._settings, where=self._where, patience=self._patience)


def _looked_at(name: str, field: str, can: Mapping[str, bool]) -> Finding:
    what, hint = f"{name}.{field}", "Check the field's API name, and give the user edit access to it."
    if can.get(field):
        return Finding(what, "may be set")
    return Finding(what, "cannot be set" if field in can else "is not there", "problem", hint)
