"""A guest list: a JSON file with the addresses of each audience."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cdp_toolkit.destinations.definition import Destination, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome


class GuestListSettings(BaseModel):
    """Settings of a guest list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str


class GuestList:
    """A file that always holds who is in: adding whom it has and removing whom it lacks changes nothing."""

    entities = ("person",)
    modes = ("mirror", "add_only")
    fields = {"email": "email"}  # noqa: RUF012 - never changed
    identity = ("email",)
    requires_source = None
    requires_instance = None
    limits = Limits(batch_rows=1_000)

    def __init__(self, destination: Destination, folder: Path) -> None:
        self._path = folder / read_settings(destination, GuestListSettings).path

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        lists = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        guests = set(lists.get(batch.audience, []))
        for action, email in zip(batch.rows["_action"].to_pylist(), batch.rows["_row_key"].to_pylist(), strict=True):
            (guests.discard if action == "remove" else guests.add)(email)
        self._path.write_text(json.dumps(lists | {batch.audience: sorted(guests)}), "utf-8")
        return [DELIVERED] * len(batch.rows)
