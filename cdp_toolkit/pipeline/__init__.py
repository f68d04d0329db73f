"""The line: for each verb versions in, room functions, versions out."""

from cdp_toolkit.pipeline.activate import activate
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.evaluate import evaluate
from cdp_toolkit.pipeline.load import load
from cdp_toolkit.pipeline.standing import due, standings
from cdp_toolkit.pipeline.stitch import Pace, stitch
from cdp_toolkit.pipeline.targets import Target, plan, told

__all__ = ["Pace", "Target", "activate", "digest", "due", "evaluate", "load", "plan", "standings", "stitch", "told"]
