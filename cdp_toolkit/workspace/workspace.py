"""The folder that an analyst works in, with one short method for everything it is asked."""

import datetime as dt
from collections.abc import Iterable
from html import escape

from cdp_toolkit.workspace.activation import Activation
from cdp_toolkit.workspace.checks import Checks
from cdp_toolkit.workspace.questions import Questions
from cdp_toolkit.workspace.results import Results
from cdp_toolkit.workspace.verbs import Verbs


class Workspace(Verbs, Activation, Questions, Results, Checks):
    """A folder with ``cdp.yaml``, ``segments/``, ``destinations/`` and the lake.

    Parameters
    ----------
    folder
        The folder; the current one by default.

    Raises
    ------
    ConfigError
        If there is no workspace, or its settings are wrong.

    Examples
    --------
    >>> Workspace("nowhere")
    Traceback (most recent call last):
    ...
    cdp_toolkit.errors.ConfigError: There is no workspace here.
    Where: nowhere
    Make one with `cdp init DIR`, or name its folder.
    """

    def __repr__(self) -> str:
        """Return the name, the folder and how much is defined."""
        counts = f"{len(self.settings.sources)} sources, {len(self.segments)} segments, {len(self.destinations)} destinations"
        return f"Workspace {self.settings.name!r} in {self.folder}: {counts}"

    def _repr_html_(self) -> str:
        told = {name: self.lake.log.last(name) for name in ("load", "stitch", "evaluate", "activate")}
        runs = "".join(
            f"<tr><td>{verb}</td><td>{last['outcome'] if last else 'not yet'}</td>"
            f"<td>{_at(last['started_at']) if last else ''}</td></tr>"
            for verb, last in told.items()
        )
        known: dict[str, Iterable[str]] = {
            "sources": self.settings.sources, "segments": self.segments, "destinations": self.destinations
        }  # fmt: skip
        defined = "".join(
            f"<tr><td>{kind}</td><td colspan=2 style='text-align:left'>{escape(', '.join(names)) or 'none'}</td></tr>"
            for kind, names in known.items()
        )
        return f"<b>{escape(self.settings.name)}</b> in <code>{escape(str(self.folder))}</code><table>{defined}{runs}</table>"


def _at(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
