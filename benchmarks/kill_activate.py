"""Kill activations at random moments, and see whether the destination ends with the audience.

``python benchmarks/kill_activate.py --kills 100``: a process of its own receives batches by HTTP and survives. Between two
kills people come, go, change and opt out. What must hold at the end:

- the receiver has exactly the members who may be sent, with their values of now,
- the ledger says of each that it is there, and of nobody else,
- after someone opted out, no addition and no update of theirs arrived.
"""

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))
import cdp_toolkit as cdp
from cdp_toolkit.destinations.ledger import of_destination, told
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from tests.stand_ins.serve import serving_apart

SECRET = "secret-of-the-receiver"  # noqa: S105 - of a stand-in
# Imports once, and starts each activation as a process of its own by a fork, before any thread is there.
STARTER = """
import os, sys
import cdp_toolkit as cdp
import cdp_toolkit.connectors.webhook.destination
import cdp_toolkit.pipeline
for _ in sys.stdin:
    child = os.fork()
    if not child:
        cdp.Workspace(sys.argv[1]).activate("hook")
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Starter:
    """Starts activations of a workspace, and kills them."""

    def __init__(self, folder: Path, url: str) -> None:
        self._url = url
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", STARTER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def activate(self, *, after_s: float | None = None, after_batches: int | None = None) -> bool:
        """Activate; kill it after a time or when so many batches have come; return if it ended."""
        assert self._process.stdin
        assert self._process.stdout
        before = received(self._url)["batches"]
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        child, began = int(self._process.stdout.readline()), time.perf_counter()
        while not select.select([self._process.stdout], [], [], 0.005)[0]:
            is_late = after_s is not None and time.perf_counter() - began > after_s
            if is_late or (after_batches is not None and received(self._url)["batches"] >= before + after_batches):
                os.kill(child, signal.SIGKILL)
                break
        status = int(self._process.stdout.readline())
        assert status in {0, signal.SIGKILL}, status
        return status == 0

    def end(self) -> None:
        """End the process that starts them."""
        self._process.kill()
        self._process.wait()


class World:
    """People with a city, a consent, and a place in the audience or not."""

    def __init__(self, folder: Path, url: str, *, persons: int, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - no secret
        self.people = {
            each: {"city": "Graz", "consent": self.dice.choice(["y", None]), "is_in": self.dice.random() < 0.8}
            for each in range(1, persons + 1)
        }
        self.opted_out: dict[str, int] = {}
        (folder / "segments").mkdir(parents=True)
        (folder / "destinations").mkdir()
        (folder / "cdp.yaml").write_text("name: kills\n")
        (folder / "segments/buyers.yaml").write_text(
            'name: buyers\nentity: person\npql: extendedWorkDetails.jobTitle = "Buyer"\n'
        )
        settings = {"name": "hook", "type": "webhook", "audiences": ["buyers"], "url": f"{url}/hook", "batch_rows": 20,
                    "secret": "${env:HOOK_SECRET}", "allow": ["127.0.0.0/8"], "key": "mail", "concurrency": 2,
                    "mapping": {"mail": "email", "city": "city"}}  # fmt: skip
        (folder / "destinations/hook.yaml").write_text(json.dumps(settings))
        self.workspace = cdp.Workspace(folder)

    def change(self, *, seen: int) -> None:
        """Let some come, go, move and opt out; ``seen`` is how many rows the receiver has had."""
        for profile_id in self.dice.sample(sorted(self.people), len(self.people) // 10):
            person = self.people[profile_id]
            match self.dice.randrange(4):
                case 0:
                    person["is_in"] = not person["is_in"]
                case 1:
                    person["city"] = f"City {self.dice.randrange(99)}"
                case 2 if self.dice.random() < 0.05 and person["consent"] != "n":
                    person["consent"] = "n"
                    self.opted_out[mail(profile_id)] = seen

    def save(self) -> None:
        """Write what a stitch would have written, and evaluate."""
        lake = self.workspace.lake
        schema = {name: arrow_type(kind) for name, kind in table("profiles/person").columns.items()}
        schema |= {"profile_id": pa.int64(), "source_keys": pa.list_(pa.string())}
        rows = [
            {"profile_id": each, "email": mail(each), "city": person["city"], "consent_email": person["consent"],
             "job_title": "Buyer" if person["is_in"] else "Seller"}
            for each, person in self.people.items()
        ]  # fmt: skip
        with lake.run("stitch") as run:
            run.replace("profiles/person", lake.engine.load(pa.Table.from_pylist(rows, schema=pa.schema(schema))))
        evaluated = self.workspace.evaluate()
        assert evaluated.outcome != "partial", evaluated.problems

    @property
    def allowed(self) -> dict[str, str]:
        """City by address of all who are in and did not opt out."""
        return {
            mail(each): person["city"]
            for each, person in self.people.items()
            if person["is_in"] and person["consent"] != "n"
        }


def mail(profile_id: int) -> str:
    """Return the address of a person."""
    return f"p{profile_id}@x.example"


def received(url: str) -> dict[str, Any]:
    """Return what the receiver has."""
    with urlopen(f"{url}/state") as answer:  # noqa: S310 - the address is ours
        found: dict[str, Any] = json.load(answer)
    return found


def rows_of(log: Path) -> int:
    """Return how many rows the receiver has had."""
    return sum(1 for _ in log.open()) if log.exists() else 0


def check(world: World, url: str, log: Path) -> dict[str, Any]:
    """Compare the receiver, the audience, the ledger and the consents."""
    found, rows = received(url), rows_of(log)
    lake = world.workspace.lake
    history = of_destination(*(lake.scan(f"activation/{name}") for name in ("attempts", "ledger")), "hook")
    believed = [row for row in lake.engine.collect(told(history)).to_pylist() if row["_told_state"] == "sent"]
    late = [
        row["key"]
        for number, row in enumerate(json.loads(line) for line in log.open())
        if row["action"] != "remove" and number >= world.opted_out.get(row["key"], rows)
    ]
    return {
        "the receiver has the audience": {key: row["city"] for key, row in found["has"].items()} == world.allowed,
        "the ledger says so": {row["_row_key"] for row in believed} == set(found["has"]),
        "nothing is in doubt": not any(row["_open_batch"] for row in lake.engine.collect(told(history)).to_pylist()),
        "nobody was sent who had opted out": not late,
        "members": len(found["has"]),
        "opted out": len(world.opted_out),
        "batches received": found["batches"],
        "rows received": rows,
    }


def main() -> None:
    """Kill, and print what is true at the end as a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--persons", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    os.environ["HOOK_SECRET"] = SECRET
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "workspace", Path(name) / "received.jsonl"
        with serving_apart("tests.stand_ins.receiver:app", secret=SECRET, log=str(log)) as url:
            world = World(folder, url, persons=given.persons, seed=given.seed)
            starter = Starter(folder, url)
            kills, runs, in_the_middle = 0, 0, 0
            while kills < given.kills:
                world.change(seen=rows_of(log))
                world.save()
                before = received(url)["batches"]
                if runs % 4 == 0:  # at any moment, before and after it sends among them
                    is_done = starter.activate(after_s=world.dice.expovariate(1.0))
                else:
                    is_done = starter.activate(after_batches=world.dice.randint(1, 8))
                runs, kills = runs + 1, kills + (not is_done)
                in_the_middle += not is_done and received(url)["batches"] > before
            assert starter.activate()
            starter.end()
            found = check(world, url, log)
    print(json.dumps({"kills": kills, "of runs": runs, "killed while sending": in_the_middle, **found}))
    sys.exit(not all(value for value in found.values() if isinstance(value, bool)))


if __name__ == "__main__":
    main()
