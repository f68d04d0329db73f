"""Changes that a person makes to rows: each takes the whole rule and gives it changed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from string import ascii_uppercase
from typing import Any, Final, cast

from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.operators import OPERATORS, fits, kind_of, operator_of
from cdp_toolkit.explore.explorer.sight import Sight, sight_at
from cdp_toolkit.segments.pql import nodes as n

Edit = Mapping[str, Any]
"""What is done (``do``), where (``at``), and the new value."""

# What most rules ask of a row; any other field is one choice away.
_FIRST = {"person": "job_title", "account": "industry", "event": "event_type", "opportunity": "stage",
          "opportunity_person": "role", "account_person": "role", "campaign_member": "status"}  # fmt: skip


def edited(root: p.Group, edit: Edit, sight: Sight) -> p.Group:
    """Return a rule as it is after an edit.

    Parameters
    ----------
    root
        The whole rule.
    edit
        ``do`` names one of the functions below; ``at`` is the address of a part.
    sight
        What the whole rule can see.

    Returns
    -------
    Group
        The whole rule, changed.
    """
    at = tuple(edit["at"])
    if edit["do"] == "move":
        return _moved(root, at, int(edit["by"]))
    if edit["do"] == "remove":
        return _checked(at[:-1], p.with_part(root, at))
    part = p.part_at(root, at)
    own = sight_at(root, at, sight)
    return _checked(at, p.with_part(root, at, _CHANGES[edit["do"]](part, edit, own)))


def flattened(root: p.Group) -> p.Group:
    """Return a rule with groups that are joined as the whole is made part of it.

    Parameters
    ----------
    root
        The whole rule.

    Returns
    -------
    Group
        The same rule with fewer parentheses.
    """
    parts: list[p.Part] = []
    for part in root.parts:
        is_same = (
            isinstance(part, p.Group) and not part.negated and (part.joined == root.joined or len(part.parts) == 1)
        )
        inner = list(part.parts) if isinstance(part, p.Group) and is_same else [part]
        if inner and inner[0] is not part and part.comment:
            inner[0] = replace(inner[0], comment="\n".join(filter(None, (part.comment, inner[0].comment))))
        parts += inner
    return replace(root, parts=tuple(parts))


def _checked(at: p.Address, changed: p.Part) -> p.Group:
    """Return the rule with the steps of a changed sequence counting from steps before them."""
    for depth in range(len(at) + 1):
        part = p.part_at(changed, at[:depth])
        if isinstance(part, p.Sequence):
            changed = p.with_part(changed, at[:depth], _relabelled(part))
    return cast("p.Group", changed)


def _relabelled(sequence: p.Sequence) -> p.Sequence:
    steps: list[p.Step] = []
    for step in cast("tuple[p.Step, ...]", sequence.parts):
        before = [each.label for each in steps if not each.negated]
        wait = step.wait
        if wait is not None and wait.after not in before:
            wait = replace(wait, after=before[-1]) if before else None
        steps.append(replace(step, wait=wait))
    return replace(sequence, parts=tuple(steps))


def _moved(root: p.Group, at: p.Address, by: int) -> p.Group:
    holder = cast("p.Holder", p.part_at(root, at[:-1]))
    place = min(max(at[-1] + by, 0), len(holder.parts) - 1)
    rest = [each for index, each in enumerate(holder.parts) if index != at[-1]]
    rest.insert(place, holder.parts[at[-1]])
    return _checked(at[:-1], p.with_part(root, at[:-1], replace(holder, parts=tuple(rest))))


# New parts


def _add(part: Any, edit: Edit, sight: Sight) -> p.Part:
    new = _NEW[edit["kind"]](sight.within(part), part)
    return cast("p.Part", replace(part, parts=(*part.parts, new)))


def _new_comparison(sight: Sight, _: Any) -> p.Part:
    entity = sight.entity
    return compared(sight, _FIRST.get(entity.name, next(iter(entity.fields))))


def compared(sight: Sight, path: str) -> p.Comparison:
    """Return a condition on a field that waits for its value.

    Parameters
    ----------
    sight
        The rows in sight.
    path
        The field, read of the innermost row.

    Returns
    -------
    Comparison
        With the first operator that suits the field.
    """
    node = sight.node_of(path)
    field = sight.field(node)
    assert field is not None  # noqa: S101 - the vocabulary offers no other
    first = OPERATORS[kind_of(field)][0]
    return p.Comparison(node, first.name, _DEFAULTS.get(first.takes, ()))


_DEFAULTS: Final[dict[str, tuple[Any, ...]]] = {
    "truth": (True,),
    "distance": (30, "day"),
    "period": ("this", "month"),
}


def _new_event(sight: Sight, _: Any) -> p.Part:
    related = p.Related(array=_events(sight), quantity=p.Quantity("count", ">=", 1))
    inside = sight.within(related)
    parts = (compared(inside, "event_type"), compared(inside, "timestamp"))
    return replace(related, parts=parts)


def _events(sight: Sight) -> n.Node:
    return sight.node_of("xEvent" if "xEvent" in sight.entity.relations else "people.xEvent")


def _new_related(sight: Sight, _: Any) -> p.Part:
    first = next(name for name, each in sight.entity.relations.items() if each.many)
    return p.Related(array=sight.node_of(first))


def _new_sequence(sight: Sight, _: Any) -> p.Part:
    empty = p.Sequence(array=_events(sight), time=n.Name("timestamp"))
    inside = sight.within(empty)
    first, second = (p.Step((compared(inside, "event_type"),), label=label) for label in "AB")
    return replace(empty, parts=(first, replace(second, wait=p.Wait("<=", 7, "day", "A"))))


def _new_step(sight: Sight, sequence: Any) -> p.Part:
    taken = {step.label for step in sequence.parts}
    label = next(each for each in (*ascii_uppercase, *(f"S{number}" for number in range(500))) if each not in taken)
    return p.Step((compared(sight, "event_type"),), label=label)


_NEW: dict[str, Callable[[Sight, Any], p.Part]] = {
    "comparison": _new_comparison,
    "event": _new_event,
    "related": _new_related,
    "sequence": _new_sequence,
    "step": _new_step,
    "segment": lambda *_: p.InSegment("inSegment"),
    "group": lambda sight, _: p.Group((_new_comparison(sight, _),), "or"),
    "text": lambda *_: p.Text(),
}


# Changes of a part


def _field(part: p.Comparison, edit: Edit, sight: Sight) -> p.Part:
    return replace(compared(sight, edit["path"]), negated=part.negated, comment=part.comment)


def _operator(part: p.Comparison, edit: Edit, sight: Sight) -> p.Part:
    field = sight.field(part.left)
    new = operator_of(field, edit["name"]) if field else None
    if new is None:
        return part
    kept = part.values if fits(new.takes, part.values) else _carried(new.takes, part.values)
    return replace(part, operator=new.name, values=kept)


def _carried(takes: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what of the values another operator can use: one of many, or many of one."""
    one = values[:1]
    return one if values and fits(takes, one) else _DEFAULTS.get(takes, ())


def _values(part: p.Comparison, edit: Edit, sight: Sight) -> p.Part:
    field = sight.field(part.left)
    operator = operator_of(field, part.operator) if field else None
    is_day = operator is not None and operator.takes in {"day", "days"}
    return replace(
        part, values=tuple(_day(each) if is_day else each for each in edit["values"] if each not in (None, ""))
    )


def _day(text: str) -> Any:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _relation(part: p.Related, edit: Edit, sight: Sight) -> p.Part:
    new = replace(part, array=sight.node_of(edit["path"]))
    if sight.rows_of(new.array) == sight.rows_of(part.array):
        return new
    kind = part.quantity.kind if part.quantity.kind in {"exists", "count"} else "exists"
    return replace(new, parts=(), quantity=replace(part.quantity, kind=kind, of=None))


def _quantity(part: p.Related, edit: Edit, sight: Sight) -> p.Part:
    asked = {name: edit[name] for name in ("kind", "operator", "amount") if edit.get(name) is not None}
    quantity, inside = replace(part.quantity, **asked), sight.within(part)
    if quantity.kind in {"exists", "forall", "count"}:
        return replace(part, quantity=replace(quantity, of=None))
    plain = replace(inside, rows=(replace(inside.rows[0], variable=""), *inside.rows[1:]))
    numbers = (name for name, each in plain.entity.fields.items() if kind_of(each) == "number")
    of = edit.get("of") or (plain.path_of(quantity.of) if quantity.of else next(numbers, None))
    return replace(part, quantity=replace(quantity, of=plain.node_of(of))) if of else part


def _step(part: p.Step, edit: Edit, _: Sight) -> p.Part:
    wait, count = edit.get("wait"), edit.get("count")
    return replace(part, wait=p.Wait(**wait) if wait else None, count=(">=", int(count)) if count else None)


_CHANGES: dict[str, Callable[[Any, Edit, Sight], p.Part]] = {
    "add": _add,
    "negate": lambda part, edit, _: replace(part, negated=bool(edit["negated"])),
    "join": lambda part, edit, _: replace(part, joined=edit["joined"]),
    "wrap": lambda part, *_: p.Group((part,), "or"),
    "field": _field,
    "operator": _operator,
    "values": _values,
    "relation": _relation,
    "quantity": _quantity,
    "step": _step,
    "segment": lambda part, edit, _: replace(
        part, **{name: edit[name] for name in ("function", "name", "within") if name in edit}
    ),
    "text": lambda part, edit, _: replace(part, text=edit["text"]),
}
