"""One profile as a page: tables that take their colours from wherever they are shown, light or dark."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

_STYLE = """<style>
.cdp-profile { font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Arial, sans-serif; color: inherit; max-width: 1100px; }
.cdp-profile h3 { font-size: 20px; margin: 4px 0 0; }
.cdp-profile h4 { font-size: 14px; margin: 18px 0 4px; }
.cdp-profile p, .cdp-profile small { margin: 0; opacity: .68; }
.cdp-profile .wide { overflow-x: auto; }
.cdp-profile table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; background: none; }
.cdp-profile th, .cdp-profile td { text-align: left; vertical-align: top; padding: 5px 18px 5px 0; background: none;
  border: 0; border-bottom: 1px solid rgb(128 128 128 / .28); }
.cdp-profile th { font-weight: 500; opacity: .68; white-space: nowrap; }
.cdp-profile td.number { text-align: right; white-space: nowrap; }
.cdp-profile td:first-child { white-space: nowrap; }
</style>"""


def page(
    title: str,
    subtitle: str,
    origins: Sequence[Mapping[str, Any]],
    sections: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    """Return a profile as HTML.

    Parameters
    ----------
    title, subtitle
        Who it is.
    origins
        One per value: ``column``, ``value``, ``source_key``, ``updated_at``, ``rule``, ``others``.
    sections
        Further rows by title; a section without rows is left out.

    Returns
    -------
    str
        A ``div`` with its own style, all values escaped.
    """
    values = [
        {"": each["column"], "value": each["value"], "from": _source(each), "rule": each["rule"],
         "others say": ", ".join(each["others"]) or None}
        for each in origins
    ]  # fmt: skip
    parts = [_section(name, rows) for name, rows in ({"Values": values} | dict(sections)).items() if rows]
    head = f"<h3>{escape(title)}</h3><p>{escape(subtitle)}</p>"
    return f"{_STYLE}<div class='cdp-profile'>{head}{''.join(parts)}</div>"


def text(value: object) -> str:
    """Return a value as people write it.

    Parameters
    ----------
    value
        Any value of a column.

    Returns
    -------
    str
        Empty for null.

    Examples
    --------
    >>> text(1234567.5), text(True), text(["a", "b"]), text(None)
    ('1,234,567.5', 'yes', 'a, b', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,.2f}".rstrip("0").rstrip(".")
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case list():
            return ", ".join(map(text, value))
        case _:
            return str(value)


def _source(origin: Mapping[str, Any]) -> str | None:
    at = f" · {text(origin['updated_at'])}" if origin["updated_at"] else ""
    return f"{origin['source_key']}{at}" if origin["source_key"] else None


def _section(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    columns = [column for column in rows[0] if any(row[column] is not None for row in rows)]
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(column, row[column]) for column in columns)}</tr>" for row in rows)
    return f"<h4>{escape(name)}</h4><div class='wide'><table><tr>{head}</tr>{body}</table></div>"


def _cell(column: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        shown = str(value) if column.endswith("_id") else text(value)
        return f"<td class='number'>{shown}</td>"
    return f"<td>{escape(text(value))}</td>"
