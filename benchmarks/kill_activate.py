"""Kill activations at random moments, and see whether the destination ends with the audience.

``python benchmarks/kill_activate.py --kills 100``: a process of its own receives batches by HTTP and survives. Between two
kills people come, go, change, agree and opt out. With ``--consent opt_in`` silence means no; with ``--to marketo`` the
destination is a static list of a stand-in for Marketo. What must hold at the end:

- the receiver has exactly the members who may be sent, with their values of now,
- the ledger says of each that it is there, and of nobody else,
- nobody was added or updated at a moment when their consent did not let them be,
- in Marketo, no lead was made.
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

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))
import cdp_toolkit as cdp
from benchmarks.kill_receivers import Receiver, StaticList, mail, receiving
from cdp_toolkit.destinations.ledger import of_destination, told
from cdp_toolkit.destinations.policies import Policies
from cdp_toolkit.lake.tables import RECORD_COLUMNS, table
from cdp_toolkit.model.types import arrow_type

# Imports once, and starts each activation as a process of its own by a fork, before any thread is there.
STARTER = """
import os, sys
import cdp_toolkit as cdp
import cdp_toolkit.connectors.marketo.static_list
import cdp_toolkit.connectors.webhook.destination
import cdp_toolkit.pipeline
for _ in sys.stdin:
    child = os.fork()
    if not child:
        cdp.Workspace(sys.argv[1]).activate("out")
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Starter:
    """Starts activations of a workspace, and kills them."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self._receiver = receiver
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", STARTER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def activate(self, *, after_s: float | None = None, after_batches: int | None = None) -> bool:
        """Activate; kill it after a time or when so many batches have come; return if it ended."""
        assert self._process.stdin
        assert self._process.stdout
        before = self._receiver.batches()
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        child, began = int(self._process.stdout.readline()), time.perf_counter()
        while not select.select([self._process.stdout], [], [], 0.005)[0]:
            is_late = after_s is not None and time.perf_counter() - began > after_s
            if is_late or (after_batches is not None and self._receiver.batches() >= before + after_batches):
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

    def __init__(self, folder: Path, receiver: Receiver, *, persons: int, consent: str, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - no secret
        self.people = {
            each: {"city": "Graz", "consent": self.dice.choice(["y", None]), "is_in": self.dice.random() < 0.8}
            for each in range(1, persons + 1)
        }
        self.receiver = receiver
        self._policies = Policies.model_validate({"consent": {"default": consent}})
        # Since how many rows the receiver has had nobody may be sent who is here, and until when they might not.
        self.barred = {each: 0 for each in self.people if not self.may_be_sent(each)}
        self.were_barred: list[tuple[int, int, int]] = []
        (folder / "segments").mkdir(parents=True)
        (folder / "destinations").mkdir()
        (folder / "cdp.yaml").write_text(f"name: kills\npolicies: {{consent: {{default: {consent}}}}}\n")
        (folder / "segments/buyers.yaml").write_text(
            'name: buyers\nentity: person\npql: extendedWorkDetails.jobTitle = "Buyer"\n'
        )
        settings = {"name": "out", "audiences": ["buyers"], **receiver.settings}
        (folder / "destinations/out.yaml").write_text(json.dumps(settings))
        self.workspace = cdp.Workspace(folder)

    def may_be_sent(self, profile_id: int) -> bool:
        """Tell whether somebody's consent lets them be sent."""
        return self._policies.passes("email", self.people[profile_id]["consent"])

    def change(self) -> None:
        """Let some come, go, move, agree, opt out and take back what they said."""
        seen = len(self.receiver.sent())
        for profile_id in self.dice.sample(sorted(self.people), len(self.people) // 10):
            person = self.people[profile_id]
            match self.dice.randrange(4):
                case 0:
                    person["is_in"] = not person["is_in"]
                case 1:
                    person["city"] = f"City {self.dice.randrange(99)}"
                case 2:
                    person["consent"] = self.dice.choice(["y", "y", "n", "p", None])
                    if self.may_be_sent(profile_id) and profile_id in self.barred:
                        self.were_barred.append((profile_id, self.barred.pop(profile_id), seen))
                    elif not self.may_be_sent(profile_id):
                        self.barred.setdefault(profile_id, seen)

    def save(self) -> None:
        """Write what a load and a stitch would have written, and evaluate."""
        lake = self.workspace.lake
        people = [
            {"profile_id": each, "email": mail(each), "city": person["city"], "consent_email": person["consent"],
             "job_title": "Buyer" if person["is_in"] else "Seller", "source_keys": [f"{each}@main.Marketo"]}
            for each, person in self.people.items()
        ]  # fmt: skip
        records = [
            {"source_key": f"{each}@main.Marketo", "source_id": str(each), "source_type": "Marketo",
             "source_instance": "main", "email": mail(each), "is_deleted": False}
            for each in self.people
        ]  # fmt: skip
        profile = table("profiles/person").columns | {"profile_id": "integer"}
        record = table("entities/person").columns | RECORD_COLUMNS
        with lake.run("stitch") as run:
            for name, rows, columns in (("profiles/person", people, profile), ("entities/person", records, record)):
                schema = {column: arrow_type(kind) for column, kind in columns.items()}
                schema |= {"source_keys": pa.list_(pa.string())} if name.startswith("profiles/") else {}
                run.replace(name, lake.engine.load(pa.Table.from_pylist(rows, schema=pa.schema(schema))))
        evaluated = self.workspace.evaluate()
        assert evaluated.outcome != "partial", evaluated.problems

    def wrongly_sent(self) -> list[str]:
        """Return who was added or updated while their consent did not let them be."""
        sent = self.receiver.sent()
        barred = [*self.were_barred, *((each, since, len(sent)) for each, since in self.barred.items())]
        when: dict[str, list[tuple[int, int]]] = {}
        for profile_id, since, until in barred:
            when.setdefault(mail(profile_id), []).append((since, until))
        return [key for number, key in enumerate(sent) if any(a <= number < b for a, b in when.get(key, ()))]

    @property
    def allowed(self) -> dict[str, str]:
        """City by address of all who are in, may be sent, and can be taken."""
        takes_city = "mapping" in self.receiver.settings
        return {
            mail(each): person["city"] if takes_city else ""
            for each, person in self.people.items()
            if person["is_in"] and self.may_be_sent(each) and self.receiver.knows(each)
        }


def check(world: World) -> dict[str, Any]:
    """Compare the receiver, the audience, the ledger and the consents."""
    has, lake = world.receiver.has(), world.workspace.lake
    history = of_destination(*(lake.scan(f"activation/{name}") for name in ("attempts", "ledger")), "out")
    believed = lake.engine.collect(told(history)).to_pylist()
    found = {
        "the receiver has the audience": has == world.allowed,
        "the ledger says so": {row["_row_key"] for row in believed if row["_told_state"] == "sent"} == set(has),
        "nothing is in doubt": not any(row["_open_batch"] for row in believed),
        "nobody was sent without consent": not world.wrongly_sent(),
        "members": len(has),
        "without consent": len(world.barred),
        "times when somebody had none": len(world.barred) + len(world.were_barred),
        "batches received": world.receiver.batches(),
        "rows received": len(world.receiver.sent()),
    }
    if isinstance(world.receiver, StaticList):
        found["no lead was made"] = world.receiver.instance.created_leads == 0
    return found


def main() -> None:
    """Kill, and print what is true at the end as a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--persons", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--consent", choices=["opt_out", "opt_in"], default="opt_out")
    parser.add_argument("--to", choices=["webhook", "marketo"], default="webhook")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, receiving(given.to, Path(name), given.persons) as receiver:
        folder = Path(name) / "workspace"
        world = World(folder, receiver, persons=given.persons, consent=given.consent, seed=given.seed)
        starter = Starter(folder, receiver)
        kills, runs, in_the_middle = 0, 0, 0
        while kills < given.kills:
            world.change()
            world.save()
            before = receiver.batches()
            if runs % 4 == 0:  # at any moment, before and after it sends among them
                is_done = starter.activate(after_s=world.dice.expovariate(1.0))
            else:
                is_done = starter.activate(after_batches=world.dice.randint(1, 8 if given.to == "webhook" else 3))
            runs, kills = runs + 1, kills + (not is_done)
            in_the_middle += not is_done and receiver.batches() > before
        assert starter.activate()
        starter.end()
        found = check(world)
    print(json.dumps({"kills": kills, "of runs": runs, "killed while sending": in_the_middle, **found}))
    sys.exit(not all(value for value in found.values() if isinstance(value, bool)))


if __name__ == "__main__":
    main()
