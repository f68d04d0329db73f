"""Tables on disk: Delta tables, the versions that count, and the runs that wrote them."""

from cdp_toolkit.lake.lake import Lake
from cdp_toolkit.lake.result import Run
from cdp_toolkit.lake.runs import OpenRun

__all__ = ["Lake", "OpenRun", "Run"]
