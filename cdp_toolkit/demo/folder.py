"""A whole workspace of the made-up world, ready to load."""

from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree, ignore_patterns

from cdp_toolkit.demo.world import make_world
from cdp_toolkit.demo.write import Format, write_world
from cdp_toolkit.errors import ConfigError

PERSONS = 5_000
SEED = 7


def make_workspace(
    folder: str | Path,
    *,
    persons: int = PERSONS,
    seed: int = SEED,
    as_of: datetime | None = None,
    format: Format = "csv",  # noqa: A002 - as in write_world
) -> Path:
    """Make a workspace with ``cdp.yaml``, segments, destinations, ``exports/`` and ``truth/``.

    Parameters
    ----------
    folder
        Where to; made if need be.
    persons
        Number of true people.
    seed
        Seed of the world.
    as_of
        The end of the world's time, aware; by default the begin of today in UTC, so that *the last 3 days* are not empty.
    format
        Shape of the exports: ``csv`` as the vendors write it, or ``parquet`` for large worlds.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigError
        If the folder holds a workspace already.
    """
    home = Path(folder)
    if (home / "cdp.yaml").exists():
        raise ConfigError(
            "The folder holds a workspace already.",
            where=str(home),
            hint="Name another folder, or delete this one.",
        )
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    write_world(make_world(persons, seed, as_of or today), home, format=format)
    with as_file(files("cdp_toolkit.demo") / "workspace") as definitions:
        copytree(definitions, home, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
    return home
