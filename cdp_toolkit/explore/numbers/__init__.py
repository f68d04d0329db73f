"""The numbers behind the charts: small frames read from the lake, with no personal data in them.

Each function reads committed tables and returns as many rows as fit on a page, in an order that is promised. A table
that no run has written gives no rows.
"""

from cdp_toolkit.explore.numbers.audiences import audiences, overlaps, trends
from cdp_toolkit.explore.numbers.identity import links, records_per_person, refused_links
from cdp_toolkit.explore.numbers.line import deliveries, funnel, runs
from cdp_toolkit.explore.numbers.profiles import COUNTED, filled, growth, most_open, most_records, profiles, values
from cdp_toolkit.explore.numbers.sources import drift, freshness, records, rejects

__all__ = [
    "COUNTED",
    "audiences",
    "deliveries",
    "drift",
    "filled",
    "freshness",
    "funnel",
    "growth",
    "links",
    "most_open",
    "most_records",
    "overlaps",
    "profiles",
    "records",
    "records_per_person",
    "refused_links",
    "rejects",
    "runs",
    "trends",
    "values",
]
