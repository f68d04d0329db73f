"""The line: for each verb versions in, room functions, versions out."""

from cdp_toolkit.pipeline.activate import Target, activate, plan
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.evaluate import evaluate
from cdp_toolkit.pipeline.load import load
from cdp_toolkit.pipeline.stitch import stitch

__all__ = ["Target", "activate", "digest", "evaluate", "load", "plan", "stitch"]
