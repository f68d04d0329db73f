"""Messages in the Experience Data Model, in the envelope of streaming ingestion: a header, and a body with an entity.

Shapes of requests and answers: the public pages "Send multiple messages in a single HTTP request" and "Streaming ingestion
validation" of the Experience Platform documentation.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cdp_toolkit.model import Entity, Field, Model

UNKNOWN_FORMAT = "Message has unknown xdm format"
WRONG_ORGANISATION = "Message has an absent or wrong ims org in the header"
_ECID = re.compile(r"\d{38}", re.ASCII)
_MOST_VIOLATIONS = 5  # as documented: after five, a message is looked at no further
_TYPES: dict[str, tuple[type, ...]] = {"boolean": (bool,), "number": (int, float), "integer": (int,)}


def entity_of(message: Any) -> dict[str, Any] | None:
    """Return the entity that a message carries.

    Parameters
    ----------
    message
        JSON, as it was sent.

    Returns
    -------
    dict or None
        None if it is no message with a header and an entity.
    """
    if not isinstance(message, dict) or not isinstance(message.get("header"), dict):
        return None
    body = message.get("body")
    entity = body.get("xdmEntity") if isinstance(body, dict) else None
    return entity if isinstance(entity, dict) and entity else None


def object_of(entity: Mapping[str, Any], model: Model) -> str | None:
    """Return what an entity is, by the key that it carries.

    Parameters
    ----------
    entity
        Without the envelope.
    model
        Knows the key of each entity.

    Returns
    -------
    str or None
        Entity of the model; None if it carries the key of none.
    """
    if "timestamp" in entity and "_id" in entity:
        return "event"
    keyed = [name for name, each in model.recorded.items() if name != "event" and _at(entity, each.key) is not None]
    if keyed:
        return keyed[0]
    return "person" if entity.get("personComponents") else None


def violations(entity: Mapping[str, Any], kind: Entity) -> list[dict[str, Any]]:
    """Return what of an entity is not as the model wants it.

    Parameters
    ----------
    entity
        Without the envelope.
    kind
        What it is.

    Returns
    -------
    list of dict
        At most five, as synchronous validation reports them.
    """
    found = (violation for field in kind.recorded.values() if (violation := _violation(entity, field)))
    return [violation for violation, _ in zip(found, range(_MOST_VIOLATIONS), strict=False)]


def report(found: list[dict[str, Any]], message: str) -> dict[str, Any]:
    """Return the answer to a message that failed synchronous validation.

    Parameters
    ----------
    found
        Violations.
    message
        Which message it was.

    Returns
    -------
    dict
        JSON.
    """
    whole = {"schemaLocation": "#", "pointerToViolation": "#", "causingExceptions": found,
             "message": f"{len(found)} schema violations found"}  # fmt: skip
    return {"message": message, "cause": {"_streamingValidation": [whole]}}


def _violation(entity: Mapping[str, Any], field: Field) -> dict[str, Any] | None:
    value = _at(entity, field.path)
    if value is None:
        return _told(field, "required", f"required key [{field.path}] not found") if field.required else None
    wanted = _TYPES.get(field.type, (str,))
    if field.path == "identityMap.ECID":
        wrong = [each for each in _ecids(value) if not _ECID.fullmatch(str(each))]
        return _told(field, "pattern", f"{wrong[0]!r} is no ECID of 38 digits") if wrong else None
    if field.type in {"strings", "keys"}:
        return None
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return _told(field, "type", f"expected type: {field.type}, found: {type(value).__name__}")
    if field.type == "timestamp" and not _is_time(value):
        return _told(field, "format", f"[{value}] is not a valid date-time")
    return None


def _told(field: Field, keyword: str, message: str) -> dict[str, Any]:
    pointer = "#/" + field.path.replace(".", "/")
    return {"schemaLocation": f"#/properties/{field.path}", "pointerToViolation": pointer, "causingExceptions": [],
            "keyword": keyword, "message": message}  # fmt: skip


def _ecids(value: Any) -> Iterator[Any]:
    for each in value if isinstance(value, list) else [value]:
        yield each.get("id") if isinstance(each, dict) else each


def _is_time(text: Any) -> bool:
    try:
        datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return True


def _at(entity: Mapping[str, Any], path: str) -> Any:
    value: Any = entity
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
