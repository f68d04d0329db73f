"""A made-up B2B world whose truth is known, and a measure of how well it was found again."""

from cdp_toolkit.demo.folder import make_workspace
from cdp_toolkit.demo.matching import MatchQuality, evaluate_matching
from cdp_toolkit.demo.quality import StitchQuality, evaluate_stitching
from cdp_toolkit.demo.world import World, make_world
from cdp_toolkit.demo.write import write_world

__all__ = [
    "MatchQuality", "StitchQuality", "World", "evaluate_matching", "evaluate_stitching", "make_workspace", "make_world",
    "write_world",
]  # fmt: skip
