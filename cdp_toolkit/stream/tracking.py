"""Calls of tracking libraries (identify, track, page, screen, group, alias), by the public Segment specification."""

import re
from collections.abc import Iterator
from typing import Any

CALLS = ("identify", "track", "page", "screen", "group", "alias")
_ECID = re.compile(r"\d{38}", re.ASCII)


def calls_of(kind: str, body: Any) -> Iterator[Any]:
    """Return the calls that a request carries.

    Parameters
    ----------
    kind
        Last part of the address: the name of a call, or ``batch`` or ``import``.
    body
        JSON, as it was sent.

    Yields
    ------
    object
        JSON of each call, with what the batch says of all in its context.
    """
    if kind in CALLS:
        yield {**body, "type": kind} if isinstance(body, dict) else body
        return
    calls = body.get("batch") if isinstance(body, dict) else None
    if not isinstance(calls, list):
        yield None
        return
    shared = body.get("context") if isinstance(body.get("context"), dict) else {}
    for call in calls:
        own = call.get("context") if isinstance(call, dict) else None
        yield (
            {**call, "context": {**shared, **own} if isinstance(own, dict) else shared}
            if isinstance(call, dict)
            else call
        )


def row_of(call: Any, received_at: str) -> tuple[str, dict[str, Any]] | str:
    """Return a call as a row of its object.

    Parameters
    ----------
    call
        JSON, as it was sent.
    received_at
        When it came, which counts where the call names no time.

    Returns
    -------
    tuple or str
        Object and row; or why it is no call.
    """
    if not isinstance(call, dict) or call.get("type") not in CALLS:
        return f"A call must be an object with a type of {', '.join(CALLS)}."
    user, visitor = _id(call.get("userId")), _id(call.get("anonymousId"))
    known = user or visitor
    if known is None:
        return "A call must name a userId or an anonymousId."
    object_name = str(call["type"])
    if object_name == "alias" and _id(call.get("previousId")) is None:
        return "An alias must name a previousId."
    if object_name == "group" and _id(call.get("groupId")) is None:
        return "A group must name a groupId."
    at = next(
        (each for name in ("timestamp", "originalTimestamp", "sentAt") if isinstance(each := call.get(name), str)),
        received_at,
    )
    told = {key: value for key, value in call.items() if key not in {"type", "integrations", "sentAt", "writeKey"}}
    ids = {"known": known, "visitor": visitor or known, "account": _id(call.get("groupId"))}
    if "previousId" in call:
        ids["previousId"] = _id(call["previousId"])
    return object_name, {**told, **ids, "at": at, "ecid": _ecid(call)}


def _id(value: Any) -> str | None:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text or None


def _ecid(call: dict[str, Any]) -> str | None:
    """Return the browser's ECID, wherever the libraries put it; what is none is nobody's."""
    places = [call.get("context"), call.get("traits"), call.get("properties")]
    context = places[0] if isinstance(places[0], dict) else {}
    places += [context.get("traits"), call]
    found = [place.get(name) for place in places if isinstance(place, dict) for name in ("ecid", "ECID")]
    return next((each for each in found if isinstance(each, str) and _ECID.fullmatch(each)), None)
