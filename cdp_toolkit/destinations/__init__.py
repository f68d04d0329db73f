"""Audiences to the outside: what would change, who may not be sent, what was told to whom, and why."""

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.plan import Plan

__all__ = ["Destination", "Plan"]
