"""Charts of the frames that ``numbers`` returns. Importing this sets how charts look and that they need no network.

Each function returns an Altair chart, so that the last touch is the caller's.
"""

from cdp_toolkit.explore.charts.audiences import audiences, backtest, composition, overlaps, trends
from cdp_toolkit.explore.charts.identity import links, records_per_person, refused_links
from cdp_toolkit.explore.charts.line import deliveries, funnel, records, rejects
from cdp_toolkit.explore.charts.marks import bars, titled
from cdp_toolkit.explore.charts.profiles import filled, growth, values

__all__ = [
    "audiences",
    "backtest",
    "bars",
    "composition",
    "deliveries",
    "filled",
    "funnel",
    "growth",
    "links",
    "overlaps",
    "records",
    "records_per_person",
    "refused_links",
    "rejects",
    "titled",
    "trends",
    "values",
]
