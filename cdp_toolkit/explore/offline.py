"""Charts without a network.

In JupyterLab the default renderer of Altair asks a content network for its code, and the ``mimetype`` renderer does not
know the current Vega-Lite. A picture works everywhere, also in an executed notebook that is mailed around; a live chart
brings its own code.
"""

from typing import Any

import altair as alt

alt.renderers.enable("svg")


def live(chart: alt.Chart | alt.LayerChart) -> Any:
    """Return a chart that answers to the mouse, for a notebook that is open.

    Parameters
    ----------
    chart
        Any Altair chart.

    Returns
    -------
    altair.JupyterChart
        The chart as a widget, with its code inside.
    """
    alt.JupyterChart.enable_offline(offline=True)  # loads 4 MB of code, so not before it is wanted
    return alt.JupyterChart(chart)
