"""What a source keeps that reads what it has landed."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from cdp_toolkit.sources.source import Delivered


def _nothing(name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:  # noqa: ARG001 - of every ``Delivered``
    return iter(())


class Linking:
    """The way to what a source has landed; leads to nothing until a load has linked it."""

    _delivered: Delivered = staticmethod(_nothing)

    def link(self, delivered: Delivered) -> None:
        """Take the way to what has landed; see ``Linked.link``.

        Parameters
        ----------
        delivered
            Gives columns of an object.
        """
        self._delivered = delivered
