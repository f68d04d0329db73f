"""An inlet as the endpoint knows it: who may send, and what a row of it must look like to become a record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdp_toolkit.entities.mapping import SourceMapping
from cdp_toolkit.errors import SourceError
from cdp_toolkit.sources.inlets import InletSettings

_OURS = frozenset({"_batch", "_loaded_at", "_file", "_line", "_problem", "_raw"})


@dataclass(frozen=True)
class Inlet:
    """A source that is sent to.

    Parameters
    ----------
    name
        Its name in ``cdp.yaml``.
    settings
        What ``cdp.yaml`` says of it.
    mapping
        What its objects become.
    """

    name: str
    settings: InletSettings
    mapping: SourceMapping

    def flaw(self, name: str, row: Mapping[str, Any]) -> str | None:
        """Return why a row cannot be landed as one of an object.

        Parameters
        ----------
        name
            The object.
        row
            The row.

        Returns
        -------
        str or None
            None if it can; what is wrong with its values is found when records are made.
        """
        if self.mapping.find(name) is None:
            return f"There is no object {name!r} in the mapping."
        folded = [key.casefold() for key in row]
        if twins := {key for key in folded if folded.count(key) > 1} or _OURS & {*row}:
            return f"The key {min(twins)!r} cannot be there, or is there twice."
        try:
            self.mapping.check_columns(name, row)
        except SourceError as error:
            return error.message
        return None
