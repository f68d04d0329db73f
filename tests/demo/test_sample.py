"""The sample in ``data/`` is what the generator makes, byte for byte, and a workspace comes whole."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_toolkit.demo import make_workspace, make_world, write_world
from cdp_toolkit.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
AS_OF = datetime(2026, 1, 31, tzinfo=UTC)


def contents(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def files_of(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_making_the_sample_again_gives_the_same_files(tmp_path):
    write_world(make_world(400, 7, AS_OF), tmp_path)

    texts = [name for name in files_of(tmp_path) if not name.endswith(".parquet")]

    assert files_of(tmp_path) == files_of(SAMPLE)
    assert [name for name in texts if contents(tmp_path / name) != contents(SAMPLE / name)] == []


def test_the_sample_is_small():
    assert sum(file.stat().st_size for file in SAMPLE.rglob("*") if file.is_file()) < 1_000_000


def test_a_workspace_has_definitions_exports_and_truth(tmp_path):
    home = make_workspace(tmp_path / "demo", persons=50, seed=1, as_of=AS_OF)

    names = files_of(home)

    assert {"cdp.yaml", "exports/salesforce/Contact.csv", "truth/facts.json"} <= set(names)
    assert any(name.startswith("segments/") for name in names)
    assert any(name.startswith("destinations/") for name in names)


def test_a_workspace_is_never_overwritten(tmp_path):
    make_workspace(tmp_path, persons=50, seed=1, as_of=AS_OF)

    with pytest.raises(ConfigError, match="holds a workspace already"):
        make_workspace(tmp_path, persons=60, seed=1, as_of=AS_OF)
