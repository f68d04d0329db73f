"""The folder that an analyst works in."""

from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.workspace import Workspace

__all__ = ["Moment", "Workspace"]
