"""Audiences as files: CSV, Parquet or JSON lines, whole or differences only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from cdp_toolkit.connectors.exports import Export
from cdp_toolkit.destinations.definition import Destination, Mode, keyed_fields, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError

Format = Literal["csv", "parquet", "ndjson"]


class FilesSettings(BaseModel):
    """Settings of a destination of files.

    Parameters
    ----------
    path
        Folder, or folder and file name; ``{destination}``, ``{audience}``, ``{date}`` and ``{time}`` (UTC) are
        replaced. Relative to the workspace; ``out/<destination>/`` by default.
    format
        By default what the file name ends in, else ``csv``.
    key
        Field by which the receiver knows a row.
    delimiter
        Between values of a CSV file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = None
    format: Format | None = None
    key: str = "profile_id"
    delimiter: str = ","


class FilesConnection:
    """A folder that receives a file per audience and change.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    entities = ("person", "account")
    modes: tuple[Mode, ...] = ("full", "mirror", "add_only")
    requires_source = None
    requires_instance = None
    limits = Limits(calls_per_batch=0)

    def __init__(self, destination: Destination, folder: Path) -> None:
        settings = read_settings(destination, FilesSettings)
        self._format = _format(settings, destination)
        self._delimiter = settings.delimiter
        self._export = Export.at(settings.path, f".{self._format}", destination, folder)
        taken = ("action",) if destination.mode in {"mirror", "add_only"} else ()
        self.fields: Mapping[str, str] = keyed_fields(destination, settings.key, taken=taken)
        self.identity = (settings.key,)

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Write an audience into a file; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            The audience, whole.

        Returns
        -------
        sequence of Outcome
            All delivered: the file is there or it is not.
        """
        key = self.identity[0]
        rows = pl.DataFrame(batch.rows)
        keyed = rows.with_columns(pl.coalesce(key, pl.col("_row_key").cast(rows.schema[key])))
        if batch.mode == "full":
            shown = keyed.filter(pl.col("_action") != "remove").select(*self.fields)
        else:
            shown = keyed.select(*self.fields, action="_action")
        self._export.publish(batch, {"": shown}, self._write)
        return [DELIVERED] * len(batch.rows)

    def _write(self, table: pl.DataFrame, path: Path) -> None:
        match self._format:
            case "parquet":
                table.write_parquet(path)
            case "ndjson":
                table.write_ndjson(path)
            case "csv":
                table.write_csv(path, separator=self._delimiter, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")


def _format(settings: FilesSettings, destination: Destination) -> Format:
    ending = Path(settings.path or "").suffix.removeprefix(".")
    formats: tuple[Format, ...] = ("csv", "parquet", "ndjson")
    named: Format | None = next((each for each in formats if each == ending), None)
    if settings.format and named and settings.format != named:
        raise ConfigError(
            f"The file is named {ending} but its format is {settings.format}.",
            where=f"{destination.where}, format",
            hint="Leave `format` out, or name the file by it.",
        )
    return settings.format or named or "csv"
