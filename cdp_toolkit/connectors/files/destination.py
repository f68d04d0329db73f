"""Audiences as files: CSV, Parquet or JSON lines, whole or differences only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from cdp_toolkit.connectors.exports import Export
from cdp_toolkit.connectors.files.packing import GZIP, PGP, packed, read_keys
from cdp_toolkit.destinations.definition import Destination, Mode, keyed_fields, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Address, Options

Format = Literal["csv", "parquet", "ndjson", "json"]


class FilesSettings(BaseModel):
    """Settings of a destination of files.

    Parameters
    ----------
    path
        Folder, or folder and file name, relative to the workspace, or an address such as ``s3://bucket/folder``; macros
        are replaced. ``out/<destination>/`` by default.
    options
        Settings of fsspec's file system for an address, such as ``{key: …, secret: "${env:AWS_SECRET}"}``.
    format
        By default what the file name ends in, else ``csv``.
    key
        Field by which the receiver knows a row.
    delimiter
        Between values of a CSV file.
    header
        Whether a CSV file begins with the names of its fields.
    formulas
        What becomes of texts in a CSV file that a spreadsheet would run: ``escape`` puts an apostrophe before them,
        ``keep`` leaves them.
    compression
        ``gzip``; by default what the file name says.
    encrypt_for
        Files with the public keys of the receivers, relative to the workspace; OpenPGP.
    macros
        Values of the macros that only you know, such as ``{ORGANIZATION_NAME: acme}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Address | None = None
    options: Options = Field(default_factory=dict)
    format: Format | None = None
    key: str = "profile_id"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: bool = True
    formulas: Literal["escape", "keep"] = "escape"
    compression: Literal["none", "gzip"] | None = None
    encrypt_for: tuple[str, ...] = ()
    macros: dict[str, str] = Field(default_factory=dict)


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
        settings = self._settings = read_settings(destination, FilesSettings)
        self._format = _format(settings, destination)
        self._is_packed = settings.compression == "gzip" or GZIP in _endings(settings)
        self._keys = read_keys(settings.encrypt_for, folder=folder, where=f"{destination.where}, encrypt_for")
        suffix = f".{self._format}{GZIP if self._is_packed else ''}{PGP if self._keys else ''}"
        self._export = Export.at(
            settings.path, suffix, destination, folder, options=settings.options, values=settings.macros
        )
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
        rows = pl.DataFrame(batch.rows.select(["_action", "_row_key", *self.fields]))
        # Only a row to remove lacks its values.
        own = pl.coalesce(key, pl.col("_row_key").cast(rows.schema[key])) if rows[key].has_nulls() else pl.col(key)
        keyed = rows.with_columns(own)
        if batch.mode == "full":
            shown = keyed.filter(pl.col("_action") != "remove").select(*self.fields)
        else:
            shown = keyed.select(*self.fields, action="_action")
        self._export.publish(batch, {"": shown}, self._write)
        return [DELIVERED] * len(batch.rows)

    def check(self) -> list[Finding]:
        """Write a small file and take it away again; see ``Checked.check``."""
        return self._export.look()

    def _write(self, table: pl.DataFrame, path: Path) -> None:
        packed(lambda plain: self._write_plain(table, plain), path, is_packed=self._is_packed, keys=self._keys)

    def _write_plain(self, table: pl.DataFrame, path: Path) -> None:
        match self._format:
            case "parquet":
                table.write_parquet(path)
            case "ndjson":
                table.write_ndjson(path)
            case "json":
                table.write_json(path)
            case "csv":
                safe = without_formulas(table) if self._settings.formulas == "escape" else table
                safe.write_csv(
                    path, separator=self._settings.delimiter, include_header=self._settings.header,
                    datetime_format="%Y-%m-%dT%H:%M:%S%.fZ",
                )  # fmt: skip


def without_formulas(table: pl.DataFrame) -> pl.DataFrame:
    """Put an apostrophe before every text that a spreadsheet would run.

    Parameters
    ----------
    table
        Rows to be shown.

    Returns
    -------
    polars.DataFrame
        The same rows. Numbers and phone numbers stay as they are, with their sign.

    Examples
    --------
    >>> without_formulas(pl.DataFrame({"x": ["=1+1", "+49 30 123", "-SUM(A1)", "a"]}))["x"].to_list()
    ["'=1+1", '+49 30 123', "'-SUM(A1)", 'a']
    """
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    runs = r"^[=@\t\r\n]|^[+-].*[^0-9 ().,/+-]"
    return table.with_columns(
        pl.when(pl.col(name).str.contains(runs)).then(pl.lit("'") + pl.col(name)).otherwise(name).alias(name)
        for name in texts
    )


def _endings(settings: FilesSettings) -> list[str]:
    return Path((settings.path or "").rpartition("/")[2]).suffixes


def _format(settings: FilesSettings, destination: Destination) -> Format:
    formats: tuple[Format, ...] = ("csv", "parquet", "ndjson", "json")
    ending = next((each for each in reversed(_endings(settings)) if each not in {GZIP, PGP}), "").removeprefix(".")
    named: Format | None = next((each for each in formats if each == ending), None)
    if settings.format and named and settings.format != named:
        raise ConfigError(
            f"The file is named {ending} but its format is {settings.format}.",
            where=f"{destination.where}, format",
            hint="Leave `format` out, or name the file by it.",
        )
    return settings.format or named or "csv"
