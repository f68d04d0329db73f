"""A rule as a view draws it: nested data with everything that a row needs."""

from datetime import date
from typing import Any

from cdp_toolkit.errors import PqlError
from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.operators import kind_of, operator_of
from cdp_toolkit.explore.explorer.sight import Sight
from cdp_toolkit.explore.explorer.write import write
from cdp_toolkit.segments.pql.parse import parse


def shown(part: p.Part, sight: Sight, at: p.Address = ()) -> dict[str, Any]:
    """Return a part as a view draws it.

    Parameters
    ----------
    part
        A part of a rule.
    sight
        The rows that it can see.
    at
        Its address.

    Returns
    -------
    dict
        ``kind``, ``at``, whether it ``is_done``, and what its kind has; ``parts`` where it is made of others.
    """
    common = {"kind": type(part).__name__.lower(), "at": list(at), "negated": part.negated, "is_done": _is_done(part),
              "comment": part.comment}  # fmt: skip
    inside = sight.within(part)
    if isinstance(part, p.Holder):
        parts = [shown(each, inside, (*at, place)) for place, each in enumerate(part.parts)]
        common |= {"parts": parts, "joined": part.joined, "entity": inside.entity.name}
    return common | _own(part, sight, inside)


def _is_done(part: p.Part) -> bool:
    return (bool(part.parts) if isinstance(part, p.Step) else write(part) is not None) and not (
        isinstance(part, p.Text) and _problem(part.text)
    )


def _own(part: p.Part, sight: Sight, inside: Sight) -> dict[str, Any]:  # noqa: PLR0911 - one case a kind
    match part:
        case p.Comparison():
            return _comparison(part, sight)
        case p.InSegment():
            return {"function": part.function, "name": part.name, "within": part.within, "about": sight.entity.name}
        case p.Text():
            return {"text": part.text, "error": _problem(part.text)}
        case p.Related():
            quantity = part.quantity
            of = "" if quantity.of is None else str(quantity.of)
            told = {"kind": quantity.kind, "operator": quantity.operator, "amount": quantity.amount, "of": of}
            return {"relation": sight.path_of(part.array), "relation_text": str(part.array), "quantity": told}
        case p.Step():
            wait = part.wait and vars(part.wait)
            return {"label": part.label, "wait": wait, "count": part.count[1] if part.count else None,
                    "count_operator": part.count[0] if part.count else None}  # fmt: skip
        case p.Sequence():
            return {"relation_text": str(part.array), "about": inside.entity.name}
        case _:
            return {}


def _comparison(part: p.Comparison, sight: Sight) -> dict[str, Any]:
    found = sight.read(part.left)
    assert found is not None  # noqa: S101 - nothing else is read as a comparison
    operator = operator_of(found.field, part.operator)
    values = [each.isoformat() if isinstance(each, date) else each for each in part.values]
    return {"path": found.path, "field_text": str(part.left), "about": sight.entity.name, "type": kind_of(found.field),
            "operator": part.operator, "takes": operator.takes if operator else "nothing", "values": values}  # fmt: skip


def _problem(text: str) -> str:
    try:
        parse(text)
    except PqlError as error:
        return str(error) if text.strip() else ""
    return ""
