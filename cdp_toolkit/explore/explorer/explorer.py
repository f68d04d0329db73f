"""The explorer of audiences, as a notebook shows it."""

from typing import Any

from cdp_toolkit.explore.explorer.building import Building
from cdp_toolkit.explore.explorer.static import as_html, as_text


class Explorer(Building):
    """An audience that is built by rows or by text, with what it would be.

    In a notebook it shows itself; ``pql`` is its whole state, and an explorer that is given that text is the same.

    Parameters
    ----------
    ws
        The workspace.
    segment
        Name of a segment to begin with, or a segment.
    entity
        ``person`` or ``account``, where no segment is given.
    pql
        A rule to begin with, where no segment is given.
    as_of
        What ``now`` means: a time, or a text such as ``2026-11-01``; the present by default.
    """

    _view: Any = None

    def __repr__(self) -> str:
        """Return the rule's size and how many meet each condition."""
        return as_text(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return the live view for a notebook that is open, and a page for one that is read."""
        from cdp_toolkit.explore.explorer.view import ExplorerView

        if self._view is None:
            self._view = ExplorerView(self)
        live = self._view._repr_mimebundle_()
        return (live[0] if isinstance(live, tuple) else live or {}) | {
            "text/html": as_html(self),
            "text/plain": repr(self),
        }
