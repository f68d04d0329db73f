"""A B2B customer data platform in a folder.

>>> import cdp_toolkit as cdp
>>> ws = cdp.Workspace("demo")  # doctest: +SKIP
>>> ws.load(), ws.stitch(), ws.evaluate()  # doctest: +SKIP
"""

import cdp_toolkit.memory  # noqa: F401 - before anything that loads Arrow or Polars
from cdp_toolkit.destinations import Destination, Plan
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.lake import Run
from cdp_toolkit.model import Entity
from cdp_toolkit.profile import Profile
from cdp_toolkit.profiles import MergePolicy
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.pql import parse as parse_pql
from cdp_toolkit.workspace import Workspace

__all__ = [
    "Destination",
    "Entity",
    "IdentityRules",
    "MergePolicy",
    "Plan",
    "Profile",
    "Run",
    "Segment",
    "Workspace",
    "parse_pql",
]
