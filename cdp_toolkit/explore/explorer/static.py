"""The explorer where nothing answers: in an executed notebook, in a terminal."""

from html import escape
from typing import Any

from cdp_toolkit.explore.explorer.building import Building


def as_text(building: Building) -> str:
    """Return an explorer as text.

    Parameters
    ----------
    building
        The explorer.

    Returns
    -------
    str
        Its rule, its size, and how many meet each condition.
    """
    seen = building.seen
    if seen is None:
        return f"{building.pql}\n{building.draft.error or building.problem}"
    lines = [f"{told(building)}, {seen.method[0]}: {seen.method[1]}"]
    lines += [
        f"  {each['passes']:>9,} meet it, {each['removes']:>9,} removed by it: {each['text']}" for each in seen.clauses
    ]
    return "\n".join(lines)


def told(building: Building) -> str:
    """Return the size of an audience as a phrase.

    Parameters
    ----------
    building
        The explorer, after a look.

    Returns
    -------
    str
        The exact number, or the estimate with its interval.
    """
    seen = building.seen
    assert seen is not None  # noqa: S101 - see above
    noun = building.ws.model.entity(building.draft.entity).plural
    if building.exact is not None:
        return f"{building.exact:,} of {seen.total:,} {noun}"
    low, high = seen.interval or (seen.count, seen.count)
    return f"about {seen.count:,} ({low:,} to {high:,}) of {seen.total:,} {noun}"


def as_html(building: Building) -> str:
    """Return an explorer as a page shows it.

    Parameters
    ----------
    building
        The explorer.

    Returns
    -------
    str
        HTML in the colours of the page.
    """
    seen = building.seen
    rule = f"<pre style='white-space:pre-wrap'>{escape(building.pql or 'everybody')}</pre>"
    if seen is None:
        return rule + f"<p>{escape(str(building.draft.error or building.problem))}</p>"
    head = f"<p><b style='font-size:1.3em'>{escape(told(building))}</b><br>{escape(': '.join(seen.method))}</p>"
    clauses = _table(["condition", "meet it", "it removes"], [list(each.values()) for each in seen.clauses])
    blocks = [_facet(each, max(seen.count, 1)) for each in seen.facets]
    blocks += [_overlaps(seen.overlaps, max(seen.chosen, 1))] if seen.overlaps else []
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:8px 28px"
    people = _table([each.replace("_", " ") for each in seen.columns], seen.people)
    return f"{rule}{head}{clauses}<div style='{grid}'>{''.join(blocks)}</div><h4>Some of them, masked</h4>{people}"


def _facet(facet: dict[str, Any], of: int) -> str:
    rows = [(each["value"] or "(unknown)", each["count"]) for each in facet["rows"]]
    return _bars(facet["label"], rows, of)


def _overlaps(overlaps: list[dict[str, Any]], of: int) -> str:
    return _bars("Also in", [(each["segment"], each["both"]) for each in overlaps], of)


def _bars(title: str, rows: list[tuple[str, int]], of: int) -> str:
    most = max((count for _, count in rows), default=1) or 1
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>{count:,}</td><td style='text-align:right'>{count / of:.0%}"
        f"</td><td style='text-align:left'><span style='display:inline-block;height:.7em;border-radius:2px;background:#2f7fc1;"
        f"width:{max(round(70 * count / most), 1)}px'></span></td></tr>"
        for name, count in rows
    )
    return f"<div><h4>{escape(title)}</h4><table>{lines}</table></div>"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_cell(each))}</td>' for each in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
