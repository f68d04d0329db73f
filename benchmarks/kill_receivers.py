"""Destinations that live on while activations are killed, and can be asked what they were told."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.request import urlopen

from tests.stand_ins.marketo import MarketoStandIn
from tests.stand_ins.marketo_world import World as Instance
from tests.stand_ins.serve import serving, serving_apart

_JOINED = 24  # the type of the activity Add to List


class Receiver(Protocol):
    """What a proof asks a destination."""

    settings: dict[str, Any]

    def batches(self) -> int:
        """Return how many batches it has taken."""
        ...

    def sent(self) -> list[str]:
        """Return the keys of all who were added or updated, in order."""
        ...

    def has(self) -> dict[str, str]:
        """Return what it has by key: the city, where it takes one."""
        ...

    def knows(self, profile_id: int) -> bool:
        """Tell whether it can take somebody."""
        ...


class Hook:
    """A receiver of signed JSON in a process of its own."""

    def __init__(self, url: str, log: Path) -> None:
        self._url, self._log = url, log
        self.settings = {"type": "webhook", "url": f"{url}/hook", "batch_rows": 20, "secret": "${env:HOOK_SECRET}",
                         "key": "mail", "concurrency": 2, "mapping": {"mail": "email", "city": "city"}}  # fmt: skip

    def batches(self) -> int:
        """Return how many batches it has taken."""
        return int(self._state()["batches"])

    def sent(self) -> list[str]:
        """Return the keys of all who were added or updated, in order."""
        rows = map(json.loads, self._log.open()) if self._log.exists() else iter(())
        return [row["key"] for row in rows if row["action"] != "remove"]

    def has(self) -> dict[str, str]:
        """Return the city of each whom it has."""
        return {key: row["city"] for key, row in self._state()["has"].items()}

    def knows(self, profile_id: int) -> bool:
        """Tell whether it can take somebody."""
        return bool(profile_id)

    def _state(self) -> dict[str, Any]:
        with urlopen(f"{self._url}/state") as answer:  # noqa: S310 - the address is ours
            found: dict[str, Any] = json.load(answer)
        return found


class StaticList:
    """A static list of a Marketo in this process, in which one of twenty people is no lead."""

    def __init__(self, url: str, instance: MarketoStandIn, persons: int) -> None:
        self.instance, self._most = instance, persons * 19 // 20
        pace = {"poll_s": 0.001, "first_pause_s": 0.001, "calls": 100_000, "seconds": 0.05, "at_once": 3}
        self.settings = {"type": "marketo", "base_url": f"{url}/rest", "client_id": "ours", "list": "Buyers", "pace": pace,
                         "client_secret": "${env:MARKETO_SECRET}", "folder": "Lead Database"}  # fmt: skip

    def batches(self) -> int:
        """Return how many calls have changed the list."""
        return sum("/leads.json" in call and "/lists/" in call and not call.startswith("GET") for call in self._calls())

    def sent(self) -> list[str]:
        """Return the addresses of all who joined the list, in order."""
        late = list(self.instance.world._late)  # noqa: SLF001 - activities that nobody has asked for
        return [mail(row["leadId"]) for row in late if row["type"] == _JOINED]

    def has(self) -> dict[str, str]:
        """Return who is in the list."""
        return {mail(lead): "" for some in list(self.instance.world.members.values()) for lead in list(some)}

    def knows(self, profile_id: int) -> bool:
        """Tell whether somebody is a lead."""
        return profile_id <= self._most

    def _calls(self) -> list[str]:
        return list(self.instance.calls)


def mail(profile_id: int) -> str:
    """Return the address of a person, which is that of the lead with this id."""
    return f"p{profile_id}@company{profile_id % 997}.example"


@contextmanager
def receiving(kind: str, folder: Path, persons: int) -> Iterator[Hook | StaticList]:
    """Run a destination that lives on while activations are killed."""
    if kind == "webhook":
        os.environ["HOOK_SECRET"] = "secret-of-the-receiver"  # noqa: S105 - of a stand-in
        log = folder / "received.jsonl"
        with serving_apart("tests.stand_ins.receiver:app", secret=os.environ["HOOK_SECRET"], log=str(log)) as url:
            yield Hook(url, log)
    else:
        os.environ["MARKETO_SECRET"] = "secret-of-ours"  # noqa: S105 - of a stand-in
        instance = MarketoStandIn(Instance.of(persons * 19 // 20, 0), window=(100_000, 0.05), quota=10**9)
        with serving(instance.app) as url:
            yield StaticList(url, instance, persons)
