"""Segments to and from the JSON in which the reference system exports them."""

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.pql.parse import parse

_SCHEMAS: dict[str, Literal["person", "account"]] = {
    "_xdm.context.profile": "person",
    "_xdm.context.account": "account",
}
_STATES: dict[str, Literal["draft", "active", "archived"]] = {"draft": "draft", "inactive": "archived"}


class _Expression(BaseModel):
    type: Literal["PQL"] = "PQL"
    format: Literal["pql/text"]
    value: str = Field(min_length=1)


class _Schema(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: Literal["_xdm.context.profile", "_xdm.context.account"] = "_xdm.context.profile"


class _Exported(BaseModel):
    """What of an exported definition has a meaning here; ids and times of the other system have none."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1)
    description: str | None = None
    expression: _Expression
    xdm_schema: _Schema = Field(default=_Schema(), alias="schema")
    lifecycle: str = Field(default="published", alias="lifecycleState")


def from_json(text: str, *, where: str = "segment") -> Segment:
    """Read a segment that the reference system has exported.

    Parameters
    ----------
    text
        JSON with ``name``, ``expression`` and perhaps ``description``, ``schema`` and ``lifecycleState``.
    where
        The file it comes from, for the error.

    Returns
    -------
    Segment
        The segment, under a name that may stand in files; the rule is taken as it is.

    Raises
    ------
    ConfigError
        If the text is no JSON or no such definition.
    PqlError
        If the rule is not in the language.

    Examples
    --------
    >>> rule = {"type": "PQL", "format": "pql/text", "value": "person_score > 80"}
    >>> from_json(json.dumps({"name": "High scores!", "expression": rule})).name
    'high_scores'
    """
    try:
        found = _Exported.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = ".".join(str(part) for part in first["loc"]) or "the file"
        hint = "It needs `name` and `expression` with `format: pql/text` and a `value`."
        raise ConfigError(f"{setting}: {first['msg']}.", where=where, hint=hint) from error
    parse(found.expression.value)
    segment = Segment(
        name=_plain(found.name),
        description=found.description or found.name,
        entity=_SCHEMAS[found.xdm_schema.name],
        pql=found.expression.value,
        status=_STATES.get(found.lifecycle, "active"),
    )
    given = json.loads(text)
    return segment if json.loads(to_json(segment)) == given else segment.model_copy(update={"exchanged": given})


def to_json(segment: Segment) -> str:
    """Write a segment as the reference system would export it.

    Parameters
    ----------
    segment
        The segment.

    Returns
    -------
    str
        JSON; ``from_json`` gives an equal segment, but for tags, schedule and merge policy. What was imported and not
        changed since goes out as it came in.
    """
    (schema,) = (name for name, entity in _SCHEMAS.items() if entity == segment.entity)
    states = {status: state for state, status in _STATES.items()}
    fresh: dict[str, Any] = {
        "name": segment.name,
        "description": segment.description or segment.name,
        "expression": {"type": "PQL", "format": "pql/text", "value": segment.rule},
        "evaluationInfo": {
            "batch": {"enabled": True},
            "continuous": {"enabled": False},
            "synchronous": {"enabled": False},
        },
        "schema": {"name": schema},
        "lifecycleState": states.get(segment.status, "published"),
    }
    exported = _given_back(segment, fresh) if segment.exchanged else fresh
    return json.dumps(exported, indent=2, ensure_ascii=False)


def _given_back(segment: Segment, fresh: dict[str, Any]) -> dict[str, Any]:
    """Return what came in, with what was changed here since."""
    before = from_json(json.dumps(segment.exchanged))
    changed: dict[str, Any] = {}
    if before.rule.strip() != segment.rule.strip():
        changed["expression"] = segment.exchanged["expression"] | {"value": segment.rule}
    if before.name != segment.name:
        changed["name"] = segment.name
    if before.description != segment.description:
        changed["description"] = segment.description
    if before.entity != segment.entity:
        changed["schema"] = segment.exchanged.get("schema", {}) | fresh["schema"]
    if before.status != segment.status:
        changed["lifecycleState"] = fresh["lifecycleState"]
    return segment.exchanged | changed


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"segment_{plain}".rstrip("_")
