"""What the endpoint takes and answers, as OpenAPI describes it, for this workspace's inlets."""

from collections.abc import Iterable, Mapping
from typing import Any

from cdp_toolkit.sources.inlets import Shape
from cdp_toolkit.stream.inlet import Inlet
from cdp_toolkit.stream.tracking import CALLS

_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_REFUSED = {
    400: "It is not what this address takes.",
    401: "A key is needed.",
    403: "The key is not valid here.",
    404: "There is no such inlet or address.",
    413: "It is larger than the endpoint takes.",
    415: "It is packed otherwise than with gzip.",
    429: "Too many messages a second: try again after `Retry-After` seconds.",
    503: "Nothing can be written now: try again after `Retry-After` seconds.",
}


def describe(inlets: Mapping[str, Inlet]) -> dict[str, Any]:
    """Return the description of the endpoint.

    Parameters
    ----------
    inlets
        Inlets by name.

    Returns
    -------
    dict
        JSON of OpenAPI 3.1.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Messages for a customer data platform",
            "version": "1",
            "description": "A 2xx is sent after the messages are on disk. A message with an id that was seen is dropped.",
        },
        "paths": {
            "/collection/{inlet}": _post(
                "Send one message in the Experience Data Model",
                _schema("Message"),
                {200: ("It was taken.", _schema("Taken"))},
                [_inlet(inlets, "xdm"), _CHECKED],
            ),
            "/collection/batch/{inlet}": _post(
                "Send several messages in the Experience Data Model",
                _object(messages={"type": "array", "items": _schema("Message"), "minItems": 1}),
                {207: ("One answer a message.", _schema("Answers"))},
                [_inlet(inlets, "xdm")],
            ),
            "/v1/{call}": _post(
                "Send calls of a tracking library; the write key tells the inlet",
                {"anyOf": [_schema("Call"), _object(batch={"type": "array", "items": _schema("Call")})]},
                {200: ("They were taken.", _object(success={"const": True}))},
                [_in_path("call", [*CALLS, "batch", "import"])],
            ),
            "/hooks/{inlet}": _post(
                "Send the rows of a webhook",
                {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                {200: ("They were taken.", _object(received=_WHOLE))},
                [_inlet(inlets, "webhook")],
            ),
            "/healthz": _get("Whether messages are taken", "application/json", _object(status=_TEXT), full=503),
            "/metrics": _get("Counts, in the text format of Prometheus", "text/plain", _TEXT),
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": _KEYS},
        "security": [{}, *({name: []} for name in _KEYS)],
    }


def _post(
    summary: str, body: Any, answers: Mapping[int, tuple[str, Any]], parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    responses = {str(status): _answer(told, "application/json", schema) for status, (told, schema) in answers.items()}
    responses |= {
        str(status): _answer(told, "application/json", _schema("Problem")) for status, told in _REFUSED.items()
    }
    taken = {"required": True, "content": {"application/json": {"schema": body}}}
    return {"post": {"summary": summary, "parameters": parameters, "requestBody": taken, "responses": responses}}


def _get(summary: str, kind: str, schema: Any, *, full: int | None = None) -> dict[str, Any]:
    statuses = [200] if full is None else [200, full]
    return {"get": {"summary": summary, "responses": {str(each): _answer(summary, kind, schema) for each in statuses}}}


def _answer(told: str, kind: str, schema: Any) -> dict[str, Any]:
    return {"description": told, "content": {kind: {"schema": schema}}}


def _inlet(inlets: Mapping[str, Inlet], shape: Shape) -> dict[str, Any]:
    return _in_path("inlet", [name for name, each in inlets.items() if each.settings.shape == shape])


def _in_path(name: str, values: Iterable[str]) -> dict[str, Any]:
    known = [*values]
    return {"name": name, "in": "path", "required": True, "schema": _TEXT | ({"enum": known} if known else {})}


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


_CHECKED = {"name": "syncValidation", "in": "query", "required": False, "schema": {"type": "boolean"},
            "description": "Whether values are checked before the message is taken."}  # fmt: skip
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "write_key": {"type": "http", "scheme": "basic"},
    "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_SCHEMAS = {
    "Message": _object(header={"type": "object"}, body=_object(xdmEntity={"type": "object", "minProperties": 1})),
    "Call": {
        "type": "object",
        "properties": {"type": {"enum": [*CALLS]}, "messageId": _TEXT, "userId": _TEXT, "anonymousId": _TEXT,
                       "event": _TEXT, "timestamp": _TEXT, "previousId": _TEXT, "groupId": _TEXT,
                       "context": {"type": "object"}, "traits": {"type": "object"}, "properties": {"type": "object"}},
    },
    "Taken": _object(inletId=_TEXT, xactionId=_TEXT, receivedTimeMs=_WHOLE),
    "Answers": _object(
        inletId=_TEXT, batchId=_TEXT, receivedTimeMs=_WHOLE,
        responses={
            "type": "array",
            "items": {"anyOf": [_object(xactionId=_TEXT), _object(statusCode=_WHOLE, message=_TEXT)]},
        },
    ),
    "Problem": _object(type=_TEXT, status=_WHOLE, title=_TEXT),
}  # fmt: skip
