"""Where a lazy frame runs: one Protocol, one file an engine. All else computes in narwhals expressions."""

from collections.abc import Mapping

from cdp_toolkit.engines.engine import Engine, Frame
from cdp_toolkit.errors import ConfigError, UnknownNameError

__all__ = ["Engine", "Frame", "open_engine"]


def open_engine(engine: str | Mapping[str, str] = "polars") -> Engine:
    """Return the engine of that name.

    Parameters
    ----------
    engine
        ``polars``, ``duckdb``, or ``spark`` with the address of its server: ``{"spark": "sc://host:15002"}``.

    Returns
    -------
    Engine
        A new engine.

    Raises
    ------
    UnknownNameError
        If there is no such engine.
    ConfigError
        If the engine's package is not installed, or its server does not answer.
    """
    name, address = next(iter(engine.items())) if isinstance(engine, Mapping) and engine else (str(engine), "")
    try:
        if name == "polars":
            from cdp_toolkit.engines.polars import PolarsEngine

            return PolarsEngine()
        if name == "duckdb":
            from cdp_toolkit.engines.duckdb import DuckdbEngine

            return DuckdbEngine()
        if name == "spark":
            from cdp_toolkit.engines.spark import SparkEngine

            return SparkEngine(address)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The engine {name!r} needs the package {error.name!r}.",
            where="cdp.yaml, engine",
            hint=f'Install it with `pip install "cdp-toolkit[{name}]"`.',
        ) from error
    raise UnknownNameError("engine", name, ["polars", "duckdb", "spark"], where="cdp.yaml, engine")
