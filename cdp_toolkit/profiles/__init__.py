"""One row a person, account or opportunity, and everything that belongs to it re-keyed to profile ids."""

from cdp_toolkit.profiles.definition import ColumnRule, MergePolicy

__all__ = ["ColumnRule", "MergePolicy"]
