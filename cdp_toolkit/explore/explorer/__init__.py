"""Build an audience by rows or by text, and see at once who would be in it."""

from cdp_toolkit.explore.explorer.explorer import Explorer

__all__ = ["Explorer"]
