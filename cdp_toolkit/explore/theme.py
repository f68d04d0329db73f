"""How every chart looks: colours that the colour-blind tell apart, on a light page and on a dark one."""

from typing import Final

import altair as alt

# Okabe and Ito's colours, darkened or lightened until each has a contrast of 3 to 1 on white and on near-black.
PEOPLE: Final = "#2f7fc1"
ACCOUNTS: Final = "#c9761a"
GOOD: Final = "#16967a"
BAD: Final = "#d1495b"
QUIET: Final = "#8a93a1"
INK: Final = "#76808f"  # the report replaces it by the colour of its text

WIDTH: Final = 350
ROW: Final = 24  # height of a bar with its gap, in pixels


@alt.theme.register("cdp", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    return {"config": {
        "background": "transparent",
        "padding": {"left": 2, "right": 12, "top": 4, "bottom": 2},
        "font": "Arial, Liberation Sans, sans-serif",
        "view": {"stroke": None, "continuousWidth": WIDTH},
        "title": {"anchor": "start", "fontSize": 15, "fontWeight": 600, "color": INK, "subtitleColor": INK, "offset": 14,
                  "subtitleFontSize": 12, "subtitlePadding": 5, "frame": "bounds"},
        "axis": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400,
                 "gridColor": INK, "gridOpacity": 0.22, "domain": False, "ticks": False, "labelPadding": 8,
                 "labelLimit": 240, "titlePadding": 10},
        "axisY": {"grid": False},
        "legend": {"labelColor": INK, "titleColor": INK, "titleFontWeight": 400, "labelFontSize": 12, "orient": "top",
                   "titleFontSize": 12, "symbolType": "square"},
        "range": {"category": [PEOPLE, ACCOUNTS, GOOD, BAD, "#8f6bb3", "#b0a02c", "#4db3c8", QUIET]},
        "bar": {"cornerRadiusEnd": 3, "color": PEOPLE},
        "text": {"color": INK, "fontSize": 12},
        "line": {"strokeWidth": 2.5},
    }}  # fmt: skip
