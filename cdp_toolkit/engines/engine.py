"""What an engine must do: the few things that narwhals lacks or that differ by where the data lies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Literal, Protocol

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.model.model import FieldType

Frame = nw.LazyFrame[Any]
"""A lazy frame of whichever engine runs."""

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
"""Storage options of a folder."""

Mode = Literal["overwrite", "append"]

JsonPath = tuple[str | int | None, ...]
"""Steps into JSON: a name, a place from 0, or None for each element of an array."""


class Engine(Protocol):
    """Where a lazy frame runs."""

    name: str
    is_concurrent: bool
    """Whether its frames may be run from several threads at a time."""
    errors: tuple[type[Exception], ...]
    """What it raises when a frame cannot be run."""

    def scan(self, files: Sequence[str], schema: pa.Schema, options: Mapping[str, str] = NO_OPTIONS) -> Frame:
        """Return the rows of Parquet files.

        Parameters
        ----------
        files
            Addresses of the files of one table version.
        schema
            Columns of the table; a file that lacks one has nulls there.
        options
            Storage options of the lake, if it is no folder.

        Returns
        -------
        Frame
            All rows, in no promised order.
        """
        ...

    def load(self, table: pa.Table) -> Frame:
        """Return a small Arrow table as a frame.

        Parameters
        ----------
        table
            Any table that fits into memory.

        Returns
        -------
        Frame
            The same rows.
        """
        ...

    def stream(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> Frame:
        """Return rows that Python makes as a frame.

        Parameters
        ----------
        schema
            Their columns.
        batches
            Makes them, each time anew.

        Returns
        -------
        Frame
            The rows; made when the frame runs, where the engine can wait.
        """
        ...

    def collect(self, frame: Frame) -> pa.Table:
        """Run a frame and return its rows.

        Parameters
        ----------
        frame
            A frame of this engine.

        Returns
        -------
        pyarrow.Table
            The rows, with plain Arrow types.
        """
        ...

    def materialise(self, frame: Frame) -> Frame:
        """Run a frame where its rows lie, so that what follows does not run it again.

        Parameters
        ----------
        frame
            A frame of this engine.

        Returns
        -------
        Frame
            The same rows, computed.
        """
        ...

    def set_aside(self, frame: Frame) -> AbstractContextManager[Frame]:
        """Run a frame whose rows are used several times, and may be too many for memory.

        Parameters
        ----------
        frame
            A frame of this engine.

        Returns
        -------
        context manager of Frame
            The same rows, computed, for as long as it is open; on disk where memory is all that the engine has.
        """
        ...

    def sink(
        self, frame: Frame, uri: str, *, mode: Mode, options: Mapping[str, str], cluster_by: str | None = None
    ) -> None:
        """Run a frame and write it as one version of a Delta table.

        Parameters
        ----------
        frame
            A frame of this engine.
        uri
            Address of the table.
        mode
            Whether the rows replace those of the table or come after them.
        options
            Storage options of the lake.
        cluster_by
            A column of 63-bit keys: rows that are close in it come to lie close together, so that a scan for some
            keys reads some row groups only. By default rows lie as they come.
        """
        ...

    def key64(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """Add 64-bit hashes of text columns.

        Parameters
        ----------
        frame
            A frame of this engine.
        columns
            For each new column the text column that it hashes.

        Returns
        -------
        Frame
            With the new columns: XXH64 with seed 42 of the UTF-8 bytes, without its highest bit, so that every
            engine has a signed type for it. Null stays null.
        """
        ...

    def latest(self, frame: Frame, *, by: str, order: Sequence[str], columns: Sequence[str]) -> Frame:
        """Return the latest value of each column.

        Parameters
        ----------
        frame
            A frame of this engine.
        by
            Column that says what belongs together.
        order
            Columns by which later is told from earlier; null is earliest.
        columns
            Columns to reduce.

        Returns
        -------
        Frame
            One row per ``by``: for each column the last value that is not null.
        """
        ...

    def distinct(self, frame: Frame, *, by: str, column: str) -> Frame:
        """Return the distinct values of a column as lists.

        Parameters
        ----------
        frame
            A frame of this engine.
        by
            Column that says what belongs together.
        column
            Column whose values are listed.

        Returns
        -------
        Frame
            One row per ``by``: its values, each once, in rising order, without null.
        """
        ...

    def piecewise(self, frames: Sequence[Frame], make: Callable[..., Frame], *, by: str) -> Frame:
        """Make rows of those that share a key, of some keys at a time where all are too many for memory.

        Parameters
        ----------
        frames
            Frames that have the key, never null, as an integer; the first has the most cells.
        make
            Makes a frame with the key of so many frames. What it makes of the rows of a key depends on no others.
        by
            Column of the key.

        Returns
        -------
        Frame
            What ``make`` makes of all rows.
        """
        ...

    def look_up(self, frame: Frame, known: Frame, *, on: str, by: str) -> Frame:
        """Add to rows what is known by a key.

        Parameters
        ----------
        frame
            Any rows, however many: they stream by.
        known
            One row per key.
        on, by
            The column of the key in ``frame`` and in ``known``.

        Returns
        -------
        Frame
            As a left join gives them.
        """
        ...

    def among(self, frame: Frame, column: str, keys: Frame) -> Frame:
        """Return the rows that have one of a few keys.

        Parameters
        ----------
        frame
            A frame of this engine.
        column
            Its column of keys.
        keys
            The keys, in a column of the same name; few beside the rows, and already run.

        Returns
        -------
        Frame
            As a semi join gives them; where the engine can, other columns are only read of the rows that are found.
        """
        ...

    def without(self, frame: Frame, keys: Frame, *, on: Sequence[str]) -> Frame:
        """Return the rows that have none of a few keys.

        Parameters
        ----------
        frame
            Any rows, however many: they stream by.
        keys
            The keys; few beside the rows.
        on
            Columns of the keys, in both.

        Returns
        -------
        Frame
            As an anti join gives them; a row without a key is one of them.
        """
        ...

    def connected_components(self, links: Frame) -> Frame:
        """Find what hangs together.

        Parameters
        ----------
        links
            One row per link: ``a`` and ``b``, 64-bit integers.

        Returns
        -------
        Frame
            One row per ``node``, with the smallest node of its ``component``.
        """
        ...

    def parse(self, frame: Frame, columns: Mapping[str, FieldType]) -> Frame:
        """Turn clean text into values.

        Parameters
        ----------
        frame
            A frame of this engine.
        columns
            Type by text column; the text is as ``cdp_toolkit.model.types`` cleans it.

        Returns
        -------
        Frame
            The same columns with their types; text that does not parse is null.
        """
        ...

    def json(self, frame: Frame, columns: Mapping[str, tuple[str, JsonPath]]) -> Frame:
        """Take values out of columns that hold JSON.

        Parameters
        ----------
        frame
            A frame of this engine.
        columns
            For each new column the text column that it is taken from, and the path to it.

        Returns
        -------
        Frame
            With the new columns, as text: a text without its quotes, anything else as JSON; with None in the path the
            texts found as a JSON array. Null where the path leads nowhere or the column holds no JSON.
        """
        ...
