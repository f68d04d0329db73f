"""The line is the same whichever engine runs it."""

import datetime as dt

import cdp_toolkit as cdp
from cdp_toolkit.demo import make_workspace

AS_OF = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


def walk(folder, engine):
    make_workspace(folder, persons=300, as_of=AS_OF)
    settings = folder / "cdp.yaml"
    settings.write_text(f"{settings.read_text('utf-8')}\nengine: {engine}\n", "utf-8")
    workspace = cdp.Workspace(folder)
    runs = (
        workspace.load(),
        workspace.stitch(as_of=AS_OF),
        workspace.evaluate(as_of=AS_OF),
        workspace.activate(as_of=AS_OF),
    )
    return [(run.outcome, run.counts, run.details) for run in runs]


def test_duckdb_gives_the_same_line_as_polars(tmp_path):
    assert walk(tmp_path / "duckdb", "duckdb") == walk(tmp_path / "polars", "polars")
