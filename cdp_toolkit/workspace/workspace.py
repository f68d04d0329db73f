"""The folder that an analyst works in, with one short method for everything it is asked."""

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
