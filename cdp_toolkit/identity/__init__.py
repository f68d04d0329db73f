"""Which records are the same person, account or opportunity: links, components, ids that last."""

from cdp_toolkit.identity.definition import IdentityRules

__all__ = ["IdentityRules"]
