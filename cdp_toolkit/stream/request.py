"""A request, read and checked before anything is made of it: who sends, how much, and whether it is JSON."""

import base64
import time
import zlib
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from cdp_toolkit.stream.answers import Refused
from cdp_toolkit.stream.inlet import Inlet
from cdp_toolkit.stream.keys import fits


def key_of(request: Request) -> str | None:
    """Return the key that a sender shows.

    Parameters
    ----------
    request
        The request.

    Returns
    -------
    str or None
        From ``Authorization`` (Bearer, or Basic as tracking libraries do) or ``x-api-key``.
    """
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return told.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(told, validate=True).decode().partition(":")[0] or None
        except ValueError:  # no base64, or no text in it
            return None
    return request.headers.get("x-api-key")


def admit(request: Request, inlet: Inlet) -> None:
    """Refuse who may not send to an inlet.

    Parameters
    ----------
    request
        The request.
    inlet
        The inlet.

    Raises
    ------
    Refused
        With 401 if no key was shown, 403 if a wrong one was.
    """
    if inlet.settings.open:
        return
    key = key_of(request)
    if key is None:
        raise Refused(401, "A key is needed: Authorization: Bearer KEY.")
    if not fits(key, inlet.settings.keys):
        raise Refused(403, "The key is not valid here.")


def find_by_key(request: Request, inlets: Iterable[Inlet], body_key: str | None) -> Inlet:
    """Return the inlet that a key belongs to, for requests whose address names none.

    Parameters
    ----------
    request
        The request.
    inlets
        Those that the address may mean.
    body_key
        The key in the body, where the sender put it there.

    Returns
    -------
    Inlet
        The inlet.

    Raises
    ------
    Refused
        With 401 or 403, as ``admit``; with 404 if there is no such inlet at all.
    """
    known = list(inlets)
    key = key_of(request) or body_key
    own = [each for each in known if key is not None and fits(key, each.settings.keys)]
    found = own or [each for each in known if each.settings.open]
    if found:
        return found[0]
    if not known:
        raise Refused(404, "There is no such address.")
    raise Refused(401 if key is None else 403, "The write key is not valid here.")


async def read_json(request: Request, *, most_bytes: int) -> Any:
    """Return the body of a request.

    Parameters
    ----------
    request
        The request; its body may be packed with gzip.
    most_bytes
        Size at the most, packed and unpacked.

    Returns
    -------
    object
        JSON.

    Raises
    ------
    Refused
        With 413 if it is too large, 415 if it is packed otherwise, 400 if it is no JSON.
    """
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most_bytes:
            raise Refused(413, f"The payload is larger than {most_bytes:,} bytes.")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", ""}:
        raise Refused(415, "The payload may be packed with gzip only.")
    text = _unpacked(bytes(data), most_bytes) if encoding == "gzip" else bytes(data)
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(400, "The payload is no JSON in UTF-8.") from error


def now_ms() -> int:
    """Return the time in milliseconds since 1970.

    Returns
    -------
    int
        In UTC.
    """
    return time.time_ns() // 1_000_000


def _unpacked(data: bytes, most_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = unpacker.decompress(data, most_bytes + 1)
    except zlib.error as error:
        raise Refused(400, "The payload is no gzip.") from error
    if len(text) > most_bytes or unpacker.unconsumed_tail:
        raise Refused(413, f"The payload is larger than {most_bytes:,} bytes.")
    return text
