"""Whether what a workspace is connected to works."""

from collections.abc import Callable
from functools import partial
from typing import Any

from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.errors import CdpError
from cdp_toolkit.findings import Finding, Health, look_at, problem
from cdp_toolkit.sources.source import Source
from cdp_toolkit.workspace.definitions import Definitions


class Checks(Definitions):
    """Look at connections."""

    def doctor(self) -> Health:
        """Look at every source and destination: login, permissions, what is left of the quota. Changes nothing.

        Returns
        -------
        Health
            What works, and what to do about what does not.

        Raises
        ------
        ConfigError
            If a definition cannot be read at all.
        """
        ways: dict[str, Callable[[], object]] = {}
        for name, settings in self.settings.sources.items():
            ways[f"source {name}"] = partial(self.opened, name, settings)
        destinations = self.destinations
        for name, destination in destinations.items():
            opened = partial(open_connection, destination, self.folder, beside=destinations.values())
            ways[f"destination {name}"] = opened
        segments = f"{len(self.segments)} segments are well defined."
        return Health({name: _looked_at(way) for name, way in ways.items()}, notes=(segments,))

    def opened(self, name: str, settings: dict[str, Any]) -> Source:
        """Open a source, which need not stand in ``cdp.yaml``; nobody is called.

        Parameters
        ----------
        name
            Its name.
        settings
            Its settings.

        Returns
        -------
        Source
            Ready to read.

        Raises
        ------
        ConfigError
            If a setting is wrong.
        """
        return self._source(name, settings)[1]


def _looked_at(way: Callable[[], object]) -> list[Finding]:
    try:
        return look_at(way())
    except CdpError as error:
        return [problem(error, "settings")]
