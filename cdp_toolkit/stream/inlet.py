"""An inlet as the endpoint knows it: who may send, and what a row of it must look like to become a record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cdp_toolkit.entities.mapping import SourceMapping
from cdp_toolkit.sources.inlets import InletSettings
from cdp_toolkit.sources.messages import flaw_of

_KEPT = 1024


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
        return self._flaws(name, tuple(row))

    @cached_property
    def _flaws(self) -> Callable[[str, tuple[str, ...]], str | None]:
        """Looks at the keys of a row; senders send the same ones again and again."""
        return lru_cache(_KEPT)(self._flaw)

    def _flaw(self, name: str, keys: tuple[str, ...]) -> str | None:
        if self.mapping.find(name) is None:
            return f"There is no object {name!r} in the mapping."
        return flaw_of(name, keys, self.mapping.check_columns)
