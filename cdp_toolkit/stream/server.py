"""The endpoint: addresses, and for each what is made of a request. A 2xx is sent after the messages are on disk."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cdp_toolkit.errors import SourceError
from cdp_toolkit.model import Model
from cdp_toolkit.sources.inlets import Shape, StreamSettings
from cdp_toolkit.sources.log import Message
from cdp_toolkit.stream import tracking, xdm
from cdp_toolkit.stream.answers import Refused, busy
from cdp_toolkit.stream.appender import Appender
from cdp_toolkit.stream.audit import Audit
from cdp_toolkit.stream.inlet import Inlet
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.stream.openapi import describe
from cdp_toolkit.stream.pace import Pace
from cdp_toolkit.stream.request import admit, find_by_key, now_ms, read_json

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Endpoint:
    """What takes requests.

    Parameters
    ----------
    inlets
        Inlets by name.
    model
        Tells what an entity of XDM is.
    settings
        Limits.
    appender
        Writes messages.
    metrics
        Counts.
    audit
        Keeps who sent.
    """

    inlets: Mapping[str, Inlet]
    model: Model
    settings: StreamSettings
    appender: Appender
    metrics: Metrics
    audit: Audit
    paces: dict[str, Pace] = field(default_factory=dict)

    def app(self) -> Starlette:
        """Return the endpoint as an application.

        Returns
        -------
        starlette.applications.Starlette
            For any ASGI server.
        """
        posts: dict[str, Handler] = {
            "/collection/batch/{inlet}": self.collect_many,
            "/collection/{inlet}": self.collect,
            "/v1/{call}": self.track,
            "/hooks/{inlet}": self.hook,
        }
        routes = [Route(path, self._guarded(handler), methods=["POST"]) for path, handler in posts.items()]
        routes += [
            Route("/healthz", self.health), Route("/metrics", self.tell_metrics), Route("/openapi.json", self.describe)
        ]  # fmt: skip
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers={Exception: _unexpected})

    async def collect(self, request: Request) -> Response:
        """Take one message in XDM.

        Parameters
        ----------
        request
            To ``/collection/{inlet}``; with ``?syncValidation=true`` its values are checked before it is taken.

        Returns
        -------
        starlette.responses.Response
            200 with the ids of inlet and message.
        """
        inlet = self._inlet(request, "xdm")
        admit(request, inlet)
        message = await read_json(request, most_bytes=self.settings.most_bytes)
        is_checked = any(request.query_params.get(name, "").lower() == "true" for name in _CHECKED)
        read = self._xdm(inlet, message, is_checked=is_checked)
        if isinstance(read, Refused):
            raise read
        await self._take(request, inlet, [read])
        told = {"inletId": inlet.name, "xactionId": read.id, "receivedTimeMs": read.received_ms}
        return JSONResponse(told | ({} if is_checked else {"syncValidation": {"skipped": True}}))

    async def collect_many(self, request: Request) -> Response:
        """Take several messages in XDM.

        Parameters
        ----------
        request
            To ``/collection/batch/{inlet}``, with ``messages``.

        Returns
        -------
        starlette.responses.Response
            207 with one answer a message: its id, or why it was not taken.
        """
        inlet = self._inlet(request, "xdm")
        admit(request, inlet)
        body = await read_json(request, most_bytes=self.settings.most_bytes)
        messages = body.get("messages") if isinstance(body, dict) else None
        if not isinstance(messages, list) or not messages:
            raise Refused(400, "The payload has no array of messages.")
        reads = [self._xdm(inlet, each) for each in messages]
        await self._take(request, inlet, [each for each in reads if isinstance(each, Message)])
        told = [
            {"statusCode": each.status, "message": each.title} if isinstance(each, Refused) else {"xactionId": each.id}
            for each in reads
        ]
        batch = {"inletId": inlet.name, "batchId": uuid.uuid4().hex, "receivedTimeMs": now_ms(), "responses": told}
        return JSONResponse(batch, 207)

    async def track(self, request: Request) -> Response:
        """Take calls of a tracking library.

        Parameters
        ----------
        request
            To ``/v1/{call}``; the write key tells the inlet.

        Returns
        -------
        starlette.responses.Response
            200; calls that are none are kept as rejected, since the libraries would send them for ever.
        """
        kind = request.path_params["call"]
        if kind not in {*tracking.CALLS, "batch", "import"}:
            raise Refused(404, "There is no such call.")
        body = await read_json(request, most_bytes=self.settings.most_bytes)
        shown = body.get("writeKey") if isinstance(body, dict) else None
        inlets = (each for each in self.inlets.values() if each.settings.shape == "tracking")
        inlet = find_by_key(request, inlets, shown if isinstance(shown, str) else None)
        received = now_ms()
        at = datetime.fromtimestamp(received / 1000, UTC).isoformat()
        calls = tracking.calls_of(kind, body)
        await self._take(request, inlet, [self._call(inlet, call, received, at) for call in calls])
        return JSONResponse({"success": True})

    async def hook(self, request: Request) -> Response:
        """Take the rows of a webhook.

        Parameters
        ----------
        request
            To ``/hooks/{inlet}``: an object or an array of them.

        Returns
        -------
        starlette.responses.Response
            200 with how many rows were taken.
        """
        inlet = self._inlet(request, "webhook")
        admit(request, inlet)
        body = await read_json(request, most_bytes=self.settings.most_bytes)
        rows, received = body if isinstance(body, list) else [body], now_ms()
        await self._take(request, inlet, [self._hooked(inlet, row, received) for row in rows])
        return JSONResponse({"received": len(rows)})

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - of every handler
        """Say whether messages are taken.

        Parameters
        ----------
        request
            To ``/healthz``.

        Returns
        -------
        starlette.responses.Response
            200, or 503 while senders are to wait.
        """
        is_full = self.appender.is_full
        return JSONResponse({"status": "full" if is_full else "ok"}, 503 if is_full else 200)

    async def tell_metrics(self, request: Request) -> Response:  # noqa: ARG002 - of every handler
        """Show the counts.

        Parameters
        ----------
        request
            To ``/metrics``.

        Returns
        -------
        starlette.responses.Response
            In the text format of Prometheus.
        """
        return PlainTextResponse(self.metrics.text(self.appender), media_type="text/plain; version=0.0.4")

    async def describe(self, request: Request) -> Response:  # noqa: ARG002 - of every handler
        """Describe the endpoint.

        Parameters
        ----------
        request
            To ``/openapi.json``.

        Returns
        -------
        starlette.responses.Response
            As OpenAPI writes it.
        """
        return JSONResponse(describe(self.inlets))

    def _xdm(self, inlet: Inlet, message: Any, *, is_checked: bool = False) -> Message | Refused:
        entity, received = xdm.entity_of(message), now_ms()
        about = f"inletId: [{inlet.name}] imsOrgId: [{inlet.settings.organisation or ''}] "
        name = None if entity is None else xdm.object_of(entity, self.model)
        if entity is None or name is None:
            return Refused(400, about + xdm.UNKNOWN_FORMAT)
        if inlet.settings.organisation and inlet.settings.organisation != message["header"].get("imsOrgId"):
            return Refused(400, about + xdm.WRONG_ORGANISATION)
        found = xdm.violations(entity, self.model.entity(name)) if is_checked else []
        if found:
            return Refused(400, "Invalid XDM Message Format", report=xdm.report(found, about + "Message is invalid"))
        told = message["header"].get("msgId") or (entity["_id"] if name == "event" else None)
        return _message(inlet, name, entity, told=told, received=received, problem=inlet.flaw(name, entity))

    def _call(self, inlet: Inlet, call: Any, received: int, at: str) -> Message:
        read = tracking.row_of(call, at)
        given = call.get("messageId") if isinstance(call, dict) else None
        told = given or uuid.uuid4().hex
        if isinstance(read, str):
            return _message(inlet, "track", call, told=told, received=received, problem=read)
        name, row = read[0], read[1] | {"messageId": told}
        return _message(inlet, name, row, told=told, received=received, problem=inlet.flaw(name, row))

    def _hooked(self, inlet: Inlet, row: Any, received: int) -> Message:
        name, is_row = str(inlet.settings.object), isinstance(row, dict)
        told = row.get(inlet.settings.id) if is_row and inlet.settings.id else None
        problem = inlet.flaw(name, row) if is_row else "A row must be a JSON object."
        return _message(inlet, name, row, told=told, received=received, problem=problem)

    def _inlet(self, request: Request, shape: Shape) -> Inlet:
        inlet = self.inlets.get(request.path_params["inlet"])
        if inlet is None or inlet.settings.shape != shape:
            raise Refused(404, "There is no such inlet.")
        return inlet

    async def _take(self, request: Request, inlet: Inlet, messages: Sequence[Message]) -> None:
        if self.appender.is_full:
            raise busy("Too many messages wait to be loaded.")
        wait_s = self.paces.setdefault(inlet.name, Pace(inlet.settings.per_second)).ask(len(messages))
        if wait_s:
            raise Refused(429, "Too many messages a second.", retry_after_s=wait_s)
        if messages:
            await self.appender.append(messages)
        poisoned = sum(each.problem is not None for each in messages)
        self.metrics.took(inlet.name, len(messages), poisoned)
        self.audit.note(request, inlet.name, 200, messages=len(messages), poisoned=poisoned)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as error:
                refused = error
            except SourceError:
                refused = busy("The message could not be written; nothing of the request was taken.")
            self.metrics.refused(refused.status)
            self.audit.note(request, request.path_params.get("inlet", ""), refused.status)
            return refused.answer()

        return guarded

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> Any:  # noqa: ARG002 - of every lifespan
        self.appender.start()
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.to_thread(self.appender.stop)
            self.audit.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.appender.recount)


# The parameter has two names in the public pages.
_CHECKED = ("syncValidation", "synchronousValidation")


def _message(inlet: Inlet, name: str, row: Any, *, told: Any, received: int, problem: str | None) -> Message:
    given = str(told) if isinstance(told, str | int) and str(told) else uuid.uuid4().hex
    # A number that is too large to be one is kept as a text, which no column of numbers takes: it is rejected with its row.
    body = to_json(row, inf_nan_mode="strings").decode()
    return Message(inlet.name, name, given, received, body, problem)


async def _unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001 - of every handler
    return JSONResponse({"type": "about:blank", "status": 500, "title": "Something went wrong here."}, 500)
