"""What rows may be made of: fields, relations, operators and segments, as data for a view."""

from collections.abc import Iterable, Iterator
from typing import Any

from cdp_toolkit.explore.explorer.operators import OPERATORS, UNITS, kind_of
from cdp_toolkit.model import Model
from cdp_toolkit.segments.definition import Segment

_HOPS = 2  # relations to one row that a list of fields goes through; any further one can be written as text


def vocabulary(model: Model, segments: Iterable[Segment] = ()) -> dict[str, Any]:
    """Return what a view may offer.

    Parameters
    ----------
    model
        Entities, fields and relations.
    segments
        Segments that a rule may name.

    Returns
    -------
    dict
        ``entities`` (with ``fields`` and ``relations``), ``operators`` by kind of value, ``segments`` by entity, ``units``.
    """
    named = [(each.name, each.entity) for each in segments if each.status != "archived"]
    return {
        "entities": {name: _entity(model, name) for name in model.entities},
        "operators": {kind: [vars(each) for each in several] for kind, several in OPERATORS.items()},
        "segments": {entity: sorted(name for name, of in named if of == entity) for entity in ("person", "account")},
        "units": list(UNITS),
    }


def label_of(name: str) -> str:
    """Return a name as people read it.

    Parameters
    ----------
    name
        A column, such as ``job_title``, or a relation, such as ``opportunityRoles``.

    Returns
    -------
    str
        Such as ``Job title``.

    Examples
    --------
    >>> label_of("opportunityRoles"), label_of("is_closed"), label_of("xEvent")
    ('Opportunity roles', 'Is closed', 'Events')
    """
    if name == "xEvent":
        return "Events"
    words = "".join(f" {each.lower()}" if each.isupper() else each for each in name.replace("_", " "))
    return words.strip().capitalize()


def _entity(model: Model, name: str) -> dict[str, Any]:
    entity = model.entity(name)
    fields = [
        {"path": ".".join((*way, field.name)), "label": label_of(field.name), "help": field.description,
         "kind": kind_of(field), "group": " → ".join(map(label_of, way)) or entity.label}
        for way, owner in _reached(model, name)
        for field in model.entity(owner).fields.values()
    ]  # fmt: skip
    relations = [
        {"path": ".".join((*way, each.name)), "label": " → ".join(map(label_of, (*way, each.name))),
         "help": each.description, "to": each.to}
        for way, owner in _reached(model, name)
        for each in model.entity(owner).relations.values()
        if each.many
    ]  # fmt: skip
    has_events = "xEvent" in entity.relations or "people" in entity.relations
    if "people" in entity.relations:
        relations.append(
            {"path": "people.xEvent", "label": "People → Events", "help": "What its people did.", "to": "event"}
        )
    return {
        "label": entity.label,
        "plural": entity.plural,
        "fields": fields,
        "relations": relations,
        "events": has_events,
    }


def _reached(model: Model, name: str, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    yield way, name
    for relation in model.entity(name).relations.values() if len(way) < _HOPS else ():
        if not relation.many and relation.name not in way:
            yield from _reached(model, relation.to, (*way, relation.name))
