"""Time stitching beside the bare component search and its peers, a process a step, on the same made-up identities.

``python benchmarks/stitch.py --persons 1000000`` makes records with string identities, stitches them, and prints seconds,
processor seconds and peak memory of each way. The last line is the figures as JSON, so that runs can be compared.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

# This process stays small: on Linux a child's peak memory begins at that of its parent. So every step imports its own.

PACKAGES = ("cdp-toolkit", "polars", "duckdb", "splink", "narwhals", "numpy", "scipy")
STEPS = {
    "scipy": "components on ready integers, nothing else (the limit)",
    "keys": "our stitch: identities in Parquet to the component of each record, in memory",
    "duckdb": "the same stitch on DuckDB",
    "mapped": "our stitch with links, refusals, ids and the map of identifiers written",
    "new": "1 % of new records after a full stitch, looked up in the index that it left, all that changes written",
    "splink_integers": "Splink's clustering on ready integers, in DuckDB",
    "splink": "Splink's clustering on the same links between strings, in DuckDB",
}
SIZES, SHARES = (1, 2, 3, 4, 7), (0.65, 0.25, 0.07, 0.02, 0.01)
NAMES = ("anna", "tom", "summer", "jane", "john", "maria", "luis", "kevin", "nora", "peter")


def make_world(home: Path, persons: int) -> None:
    """Write identities as ``entities/identities`` has them, one file a namespace.

    A person has one to seven records, a few have 300. Of the records 92 % have an address (an eighth of these another one
    than usual), half a browser, 40 % a phone, half of all but the first know the key of the first; 2 % misspell the name
    and 1 % of the browsers are another person's, so that components break the rule that a person has one name.
    """
    import numpy as np
    import polars as pl
    import polars_hash as plh

    dice = np.random.default_rng(7)
    sizes = dice.choice(SIZES, p=SHARES, size=persons)
    sizes[dice.integers(0, persons, max(1, persons // 100_000))] = 300
    person = np.repeat(np.arange(persons, dtype=np.int64), sizes)
    records = len(person)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    coins = {name: dice.random(records) < share for name, share in (
        ("has_email", 0.92), ("has_ecid", 0.5), ("has_phone", 0.4), ("has_crm", 0.5), ("is_other", 0.12),
        ("is_shared", 0.01), ("is_misspelt", 0.02),
    )}  # fmt: skip
    frame = pl.DataFrame(
        {"record": np.arange(records), "person": person, "first": first, "place": dice.integers(0, 2, records), **coins}
    ).lazy()
    who = pl.col("person")
    name = who.mod(10).replace_strict(dict(enumerate(NAMES)), return_dtype=pl.String)
    company = pl.format("company{}.example", who % (persons // 20 + 1))
    other, usual = pl.format("{}.{}@mail.example", name, who), pl.format("{}.miller.{}@{}", name, who, company)
    owner = pl.when("is_shared").then((who * 7919 + 13) % persons).otherwise(who)
    device = owner * 2 + pl.col("place")
    typo = pl.when("is_misspelt").then(pl.lit("r")).otherwise(pl.lit(""))
    said = {
        "own": ("person_key", pl.lit(True), _key("record")),
        "crm": ("person_key", pl.col("has_crm") & (pl.col("record") != pl.col("first")), _key("first")),
        "email": ("email", pl.col("has_email"), pl.when("is_other").then(other).otherwise(usual)),
        "ecid": ("ecid", pl.col("has_ecid"), pl.format("{}{}", device + 10**18, device * 2654435761 % 10**18 + 10**18)),
        "card": ("contact_card", pl.col("has_phone"), pl.format("{} miller{} 4930{} 10115", name, who, who)),
        "name": ("name", pl.lit(True), pl.format("{} miller{}{}", name, typo, who)),
    }
    hashed = {
        key: plh.col(text).nchash.xxhash64(seed=42).reinterpret(signed=True) & (2**63 - 1)
        for key, text in (("record_key", "source_key"), ("value_key", "spoken"))
    }
    seen_at = (pl.col("record") * 977 % 100_000_000 * 1_000_000).cast(pl.Datetime("us", "UTC"))
    for file, (namespace, has, value) in said.items():
        told = frame.filter(has).select(
            entity=pl.lit("person"),
            source_key=_key("record"),
            namespace=pl.lit(namespace),
            value=value,
            seen_at=seen_at,
        )
        keyed = told.with_columns(spoken=pl.format("{}:{}", "namespace", "value")).with_columns(**hashed)
        keyed.drop("spoken").sink_parquet(home / f"{file}.parquet", mkdir=True)


def _key(record: str) -> Any:
    import polars as pl

    odd = pl.when(pl.col(record) % 2 == 1).then(pl.lit("abm.M")).otherwise(pl.lit("crm.S"))
    return pl.format("{}@{}", record, odd)


def read_links(home: Path, *columns: str) -> Any:
    """Return the links between a record's own key and its other identities, as one row each."""
    import polars as pl

    own = pl.scan_parquet(home / "own.parquet")
    others = pl.concat([pl.scan_parquet(home / f"{name}.parquet") for name in ("crm", "email", "ecid", "card")])
    is_text = columns == ("source_key", "value")
    if is_text:
        return others.select(a=pl.format("person_key:{}", "source_key"), b=pl.format("{}:{}", "namespace", "value"))
    return others.join(own.select("record_key", own="value_key"), on="record_key").select(a="own", b="value_key")


def number_links(home: Path) -> tuple[Any, Any, int]:
    """Return the ends of the links as places from 0, and how many nodes there are."""
    import numpy as np
    import polars as pl

    links = read_links(home).collect()
    nodes = pl.concat([links["a"], links["b"]]).unique().to_frame("node").with_row_index("place").lazy()
    ends = (nodes.rename({"node": end, "place": name}) for end, name in (("a", "left"), ("b", "right")))
    numbered = links.lazy().join(next(ends), on="a").join(next(ends), on="b").select("left", "right").collect()
    size = numbered.select(pl.max_horizontal(pl.col("left").max(), pl.col("right").max())).item() + 1
    return numbered["left"].to_numpy().astype(np.int32), numbered["right"].to_numpy().astype(np.int32), size


def run_scipy(home: Path, out: Path) -> None:  # noqa: ARG001 - all steps are called alike
    """Search the components of ready integers; only the search is timed."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right, size = number_links(home)
    started = Clock()
    count, _ = connected_components(coo_array((np.ones(len(left), np.bool_), (left, right)), (size, size)), False)
    started.report(components=int(count), links=len(left), nodes=size)


def stitch(home: Path, name: str) -> tuple[Any, Any, Any]:
    """Return the engine, the identities and what the toolkit makes of them."""
    import narwhals as nw
    import pyarrow.parquet as pq

    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.identity import IdentityRules
    from cdp_toolkit.identity.graph import settle_links
    from cdp_toolkit.identity.links import link_records

    engine, rules = open_engine(name), IdentityRules()
    files = [str(file) for file in sorted(home.glob("*.parquet"))]
    identities = engine.scan(files, pq.read_schema(files[0]))
    records = engine.scan([str(home / "own.parquet")], pq.read_schema(files[0])).select("source_key", "record_key")
    records = records.with_columns(is_deleted=nw.lit(False))
    graph = settle_links(link_records(identities, rules, engine), identities, records, rules, engine)
    return engine, (identities, records), graph


def run_keys(home: Path, out: Path, name: str = "polars") -> None:  # noqa: ARG001 - all steps are called alike
    """Find the component of each record."""
    import narwhals as nw

    started = Clock()
    engine, (_, records), graph = stitch(home, name)
    placed = records.select("record_key").join(graph.components, on="record_key", how="left")
    ids = engine.materialise(placed.select("record_key", profile_id=nw.coalesce("component", "record_key")))
    counted = engine.collect(ids.select(records=nw.len(), profiles=nw.col("profile_id").n_unique())).to_pylist()[0]
    started.report(**counted)


def run_duckdb(home: Path, out: Path) -> None:
    """Find the component of each record, on DuckDB."""
    run_keys(home, out, "duckdb")


def run_mapped(home: Path, out: Path) -> None:
    """Stitch and write every table of the room, as the toolkit does."""
    import datetime as dt

    import narwhals as nw
    import pyarrow.parquet as pq

    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.identity import IdentityRules
    from cdp_toolkit.identity.stitch import Evidence, Stitcher

    started = Clock()
    engine = open_engine("polars")
    files = [str(file) for file in sorted(home.glob("*.parquet"))]
    schema = pq.read_schema(files[0])
    records = engine.scan([str(home / "own.parquet")], schema).select("source_key", is_deleted=nw.lit(False))
    evidence = Evidence(engine.scan(files, schema), records, ("person_key", "email", "ecid"))

    class Shelf:
        """Files beside each other; without the index, which ``new`` is about."""

        def keep(self, name: str, rows: Any) -> Any:
            if name in {"carriers", "members"}:
                return rows
            rows.to_native().sink_parquet(out / f"{name}.parquet")
            return engine.scan([str(out / f"{name}.parquet")], pq.read_schema(out / f"{name}.parquet"))

        def change(self, name: str, rows: Any, keys: Any) -> None:
            """Not called the first time."""

    stitcher = Stitcher(IdentityRules(), engine, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    stitcher.stitch("person", evidence, None, Shelf())
    started.report(identifiers=pq.read_metadata(out / "identities.parquet").num_rows)


def run_new(home: Path, out: Path) -> None:
    """Hold every hundredth record back, stitch the others into a lake, and then add those."""
    import datetime as dt

    import narwhals as nw
    import pyarrow.parquet as pq

    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.identity import IdentityRules
    from cdp_toolkit.identity.incremental import Came
    from cdp_toolkit.identity.stitch import Evidence, Stitcher
    from cdp_toolkit.lake import Lake
    from cdp_toolkit.pipeline.kept import EVIDENCE, LakeShelf, Told, past_of

    engine, namespaces = open_engine("polars"), ("person_key", "email", "ecid")
    stitcher = Stitcher(IdentityRules(), engine, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    lake, files = Lake(out / "lake", engine=engine), [str(file) for file in sorted(home.glob("*.parquet"))]
    schema = pq.read_schema(files[0])
    is_new = nw.col("record_key") % 100 == 7
    said = engine.scan(files, schema).with_columns(reason=nw.lit(None, nw.String))
    own = engine.scan([str(home / "own.parquet")], schema)
    records = own.select("source_key", "record_key", is_deleted=nw.lit(False))
    full = Clock()
    with lake.run("stitch") as run:
        before = run.replace(EVIDENCE, said.filter(~is_new)).drop("reason")
        stitcher.stitch("person", Evidence(before, records.filter(~is_new), namespaces), None, LakeShelf(run, "person"))
    full.stop()
    said.filter(is_new).to_native().sink_parquet(out / "said.parquet")
    records.filter(is_new).to_native().sink_parquet(out / "records.parquet")
    started = Clock()
    rows, who = (
        engine.materialise(engine.scan([str(out / name)], pq.read_schema(out / name)))
        for name in ("said.parquet", "records.parquet")
    )
    keys = engine.materialise(who.select("record_key"))
    with lake.run("stitch") as run:
        past = past_of(lake, "person")
        run.change(EVIDENCE, rows, keys.with_columns(entity=nw.lit("person")))
        shelf = LakeShelf(run, "person", Told(keys, rows))
        looked_at = stitcher.update("person", Came(keys, rows, who), past, namespaces, shelf)
    started.report(new=len(engine.collect(keys)), looked_at=looked_at, full_s=full.seconds)


def run_splink(home: Path, out: Path) -> None:
    """Cluster the links between strings with Splink."""
    edges = out / "edges.parquet"
    read_links(home, "source_key", "value").sink_parquet(edges)
    cluster(edges, out)


def run_splink_integers(home: Path, out: Path) -> None:
    """Cluster the links between ready integers with Splink."""
    import polars as pl

    left, right, _ = number_links(home)
    edges = out / "edges.parquet"
    pl.DataFrame({"a": left, "b": right}).write_parquet(edges)
    cluster(edges, out)


def cluster(edges: Path, out: Path) -> None:
    """Cluster with Splink; nodes and links are loaded before the time is taken."""
    import duckdb
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection = duckdb.connect(
        str(out / "splink.duckdb"), config={"memory_limit": os.environ.get("PEER_MEMORY", "16GB")}
    )
    connection.execute(f"CREATE TABLE edges AS SELECT a AS id_l, b AS id_r FROM '{edges}'")  # noqa: S608 - our own file
    connection.execute("CREATE TABLE nodes AS SELECT id_l AS id FROM edges UNION SELECT id_r FROM edges")
    nodes, links = connection.table("nodes"), connection.table("edges")
    started = Clock()
    found = cluster_pairwise_predictions_at_threshold(nodes, links, DuckDBAPI(connection), node_id_column_name="id")
    found = found.as_duckdbpyrelation()
    started.stop()
    started.report(components=found.aggregate("count(DISTINCT cluster_id)").fetchall()[0][0])


class Clock:
    """Seconds, processor seconds and the peak memory of this process."""

    def __init__(self) -> None:
        self._began = (time.perf_counter(), time.process_time())
        self._took: tuple[float, float] | None = None

    def stop(self) -> None:
        """Take the time."""
        self._took = (time.perf_counter() - self._began[0], time.process_time() - self._began[1])

    @property
    def seconds(self) -> float:
        """How long it took until it was stopped."""
        assert self._took is not None
        return self._took[0]

    def report(self, **found: float) -> None:
        """Print what was measured and end the process: freeing memory is nobody's concern."""
        if self._took is None:
            self.stop()
        assert self._took is not None
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": self._took[0], "cpu_s": self._took[1], "peak_mb": peak_mb, **found}), flush=True)
        os._exit(0)


def run_step(step: str, home: Path, persons: int) -> None:
    """Run one step in this process and report it."""
    for module in ("polars", "numpy", "scipy.sparse.csgraph", "cdp_toolkit.workspace"):
        import_module(module)  # once a process, however large the world: not what is measured
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        if step == "world":
            started = Clock()
            make_world(home, persons)
            started.report()
        steps: dict[str, Callable[[Path, Path], None]] = {name: globals()[f"run_{name}"] for name in STEPS}
        steps[step](home, Path(scratch))


def in_process(step: str, home: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    """Run a step in a process of its own; None if it ran out of memory or of time."""
    command = [sys.executable, __file__, "--step", step, "--workspace", str(home), "--persons", str(options.persons)]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=options.timeout)  # noqa: S603 - our own file
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{step}: {type(error).__name__}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(found: dict[str, dict[str, Any] | None], options: argparse.Namespace) -> None:
    """Print the figures for people, and on the last line for machines."""
    from rich.console import Console
    from rich.table import Table

    limit, table = found.get("scipy"), Table("way", "what", "seconds", "processor s", "peak MB", "÷ limit")
    for step, each in found.items():
        if each is None:
            table.add_row(step, STEPS[step], "did not end", "", "", "")
            continue
        ratio = "" if limit is None else f"{each['seconds'] / limit['seconds']:.1f}"
        figures = (f"{each['seconds']:.2f}", f"{each['cpu_s']:.2f}", f"{each['peak_mb']:,.0f}", ratio)
        table.add_row(step, STEPS[step], *figures)
    Console(width=140).print(table)
    if new := found.get("new"):
        ways = {"mapped": "writing everything", "keys": "linking everything in memory"}
        for step, what in ways.items():
            if whole := found.get(step):
                print(f"1 % of new records took {new['seconds'] / whole['seconds']:.1%} of {what}.")
        print(f"The full stitch that left the index took {new['full_s']:.1f} s.")
    versions = {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
    print(json.dumps({"benchmark": "stitch", "persons": options.persons, "cpus": os.cpu_count(), "load": os.getloadavg(),
                      "versions": versions, "steps": found}))  # fmt: skip


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=100_000, help="people in the made-up world")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="ways to run; all by default")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one way may take")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help="folder to keep the world in, or to take it from")
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.workspace, options.persons)
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = options.workspace or Path(scratch) / "world"
        if not home.exists():
            home.mkdir(parents=True)
            in_process("world", home, options)
        show({step: in_process(step, home, options) for step in options.steps}, options)


if __name__ == "__main__":
    main()
