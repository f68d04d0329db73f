"""``profiles/`` to ``segments/``: who is in, who entered, who left, and why."""

from cdp_toolkit.segments.computed import Computed, ComputedAttribute
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.estimate import Preview, preview
from cdp_toolkit.segments.evaluate import Evaluation, evaluate
from cdp_toolkit.segments.explain import Explanation, explain
from cdp_toolkit.segments.membership import Moves

__all__ = [
    "Computed",
    "ComputedAttribute",
    "Evaluation",
    "Explanation",
    "Moves",
    "Preview",
    "Segment",
    "evaluate",
    "explain",
    "preview",
]
