"""Subjects of a JetStream as a source: read in order, landed once, acknowledged when the lake has them.

Invariant: a message is acknowledged only if it lies behind the cursor that was committed with its rows. What a reader had
and did not acknowledge, since it was killed, is delivered again after ``ack_wait_s``; a reader waits for it before it
lands what came later, so that the cursor passes over nothing. A number means something in its own stream only: in one
that was deleted and made anew they begin at 1 again, and nothing is behind the cursor.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import Field
from pydantic_core import from_json, to_json

from cdp_toolkit.errors import ConnectorStopped
from cdp_toolkit.secrets import Address, reveal_address
from cdp_toolkit.sources.messages import Check, flaw_of, rows_of
from cdp_toolkit.sources.rows import as_texts
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object

_MOST = 50_000
_AT_ONCE = 2_000
_PATIENCE_S = 0.2
_ACK, _NAK = b"+ACK", b"-NAK"

Found = TypeVar("Found")


class NatsSettings(SourceSettings):
    """What ``cdp.yaml`` may say of a JetStream.

    Parameters
    ----------
    servers
        Addresses, such as ``nats://reader:${env:NATS_PASSWORD}@host:4222``.
    stream
        Name of the stream.
    subjects
        The subject that each object is published to, by the name of the object; it may have ``*`` and ``>``.
    durable
        Start of the names of the consumers, one an object; ``cdp_`` and the name of the source by default.
    ack_wait_s
        After how many seconds the server delivers again what was not acknowledged.
    """

    servers: tuple[Address, ...]
    stream: str
    subjects: dict[str, str]
    durable: str | None = None
    ack_wait_s: float = Field(10, gt=0)


@dataclass(frozen=True)
class _Held:
    """A message that was delivered and not acknowledged yet: its number in the stream, and where to answer."""

    seq: int
    reply: str
    body: str
    problem: str | None


@dataclass(frozen=True)
class _Delivered:
    """What a stream delivered, by when it was made: one of the same name may have taken its place."""

    stream: str
    messages: list[_Held]


class NatsSource:
    """Messages of a JetStream.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Objects that a mapping knows.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    settings_kind = NatsSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,  # noqa: ARG002 - of the contract
        objects: Mapping[str, Sequence[str]] | None = None,  # noqa: ARG002 - of the contract
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, NatsSettings, where=where)
        self._name = ""
        self._flaws: Callable[[str, tuple[str, ...]], str | None] = lambda *_: None
        self._held: dict[str, _Delivered] = {}

    def named(self, name: str) -> None:
        """Learn the source's name; see ``Named.named``."""
        self._name = name

    def sift(self, check: Check) -> None:
        """Learn what the mapping refuses; see ``Sifting.sift``."""
        self._flaws = lru_cache(1024)(partial(flaw_of, check=check))

    def objects(self) -> list[Object]:
        """Return the objects that have a subject; see ``Source.objects``."""
        return [Object(name) for name in self.settings.subjects]

    def unknown(self) -> list[str]:
        """Return nothing; see ``Source.unknown``."""
        return []

    def waiting(self) -> int:
        """Return how many messages wait, or wait to be acknowledged; see ``Streaming.waiting``."""
        infos = [self._run(partial(self._info, name)) for name in self.settings.subjects]
        return sum((each.num_pending or 0) + (each.num_ack_pending or 0) for each in infos)

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch]:  # noqa: A002 - the contract's noun
        """Read the messages that came since; see ``Source.read``."""
        stream, found = self._run(lambda client: self._fetch(client, object.name, cursor))
        self._held[object.name] = _Delivered(stream, found)
        if found:
            part = f"messages {found[0].seq} to {found[-1].seq}"
            messages = [(each.body, each.problem) for each in found]
            yield Batch(part, {"seq": found[-1].seq, "stream": stream}, partial(_opened, messages, part))

    def _run(self, call: Callable[[Any], Awaitable[Found]]) -> Found:
        """Carry out a call on a connection to the JetStream."""
        try:
            import nats
            from nats.errors import Error
        except ImportError as error:
            raise ConnectorStopped(
                "What speaks to NATS is not installed.", where=self._name, hint='Run `pip install "cdp-toolkit[nats]"`.'
            ) from error

        async def connected() -> Found:
            servers = [reveal_address(each, where=self._name) for each in self.settings.servers]
            client = await nats.connect(servers, allow_reconnect=False, connect_timeout=5)
            try:
                return await call(client)
            finally:
                await client.close()

        try:
            with ThreadPoolExecutor(1) as apart:  # a notebook's kernel runs a loop in this thread
                return apart.submit(asyncio.run, connected()).result()
        except (TimeoutError, Error, OSError) as error:
            raise ConnectorStopped(
                f"The JetStream {self.settings.stream!r} cannot be read: {error or type(error).__name__}.",
                where=self._name,
                hint="Look whether the server runs, and whether the stream and its subjects are there.",
            ) from error

    async def _subscribe(self, client: Any, name: str) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig

        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT, ack_wait=self.settings.ack_wait_s, max_ack_pending=2 * _MOST
        )
        return await client.jetstream().pull_subscribe(
            self.settings.subjects[name], self._consumer(name), stream=self.settings.stream, config=config
        )

    def _consumer(self, name: str) -> str:
        return f"{self.settings.durable or f'cdp_{self._name}'}_{name}"

    async def _info(self, name: str, client: Any) -> Any:
        await self._subscribe(client, name)
        return await client.jetstream().consumer_info(self.settings.stream, self._consumer(name))

    async def _last(self, client: Any, cursor: Cursor) -> tuple[str, int]:
        """Return when the stream was made, and the number of its last message that was landed."""
        info = await client.jetstream().stream_info(self.settings.stream)
        made, last = info.created.isoformat(), int(cursor.get("seq", 0))
        is_another = cursor.get("stream", made) != made or info.state.last_seq < last
        return made, 0 if is_another else last

    async def _fetch(self, client: Any, name: str, cursor: Cursor) -> tuple[str, list[_Held]]:
        """Answer what was held; return when the stream was made and what is to be landed of it, in order."""
        stream, last = await self._last(client, cursor)
        subscription = await self._subscribe(client, name)
        before = self._held.pop(name, None)
        if before and before.stream == stream:
            await _answer(client, before.messages, last)
        info = await subscription.consumer_info()
        unanswered, ends = info.num_ack_pending or 0, time.monotonic() + self.settings.ack_wait_s + 2
        most = min(_MOST, unanswered + (info.num_pending or 0))
        found: dict[int, _Held] = {}
        again: set[int] = set()
        while len(found) < most or len(again) < unanswered:
            messages = await _more(subscription, min(_AT_ONCE, max(most - len(found), 1)))
            again |= {each.metadata.sequence.stream for each in messages if (each.metadata.num_delivered or 1) > 1}
            for each in messages:
                seq = each.metadata.sequence.stream
                found[seq] = _Held(seq, each.reply, *self._read(name, each.data))
            if not messages and time.monotonic() > ends:
                await self._check_all(subscription, name, len(found))
                break
        await _answer(client, [each for each in found.values() if each.seq <= last], last)
        return stream, [found[seq] for seq in sorted(found) if seq > last]

    async def _check_all(self, subscription: Any, name: str, found: int) -> None:
        """Refuse to go on while a message may still come that lies before those that came; the stream drops old ones."""
        if ((await subscription.consumer_info()).num_ack_pending or 0) > found:
            raise ConnectorStopped(
                f"Not all that was delivered of {name!r} before has come again.",
                where=self._name,
                hint="The next load tries again; nothing else may read with this consumer.",
            )

    def _read(self, name: str, data: bytes) -> tuple[str, str | None]:
        """Return a message as the text of its row, and why it cannot become a record, if so."""
        try:
            row = from_json(data, allow_inf_nan=False)
        except ValueError:
            return data.decode("utf-8", "replace"), "A message must be JSON in UTF-8."
        if self.settings.system == "xdm" and isinstance(row, dict) and isinstance(row.get("body"), dict):
            row = row["body"].get("xdmEntity", row)
        text = to_json(row, inf_nan_mode="strings").decode()
        return text, self._flaws(name, tuple(row)) if isinstance(row, dict) else "A row must be a JSON object."


def _opened(messages: Sequence[tuple[str, str | None]], part: str) -> pa.RecordBatchReader:
    return as_texts(rows_of(messages), part)


async def _more(subscription: Any, most: int) -> list[Any]:
    from nats.errors import TimeoutError as Nothing

    try:
        return list(await subscription.fetch(most, timeout=_PATIENCE_S))
    except Nothing:
        return []


async def _answer(client: Any, held: Sequence[_Held], last: int) -> None:
    """Acknowledge what was landed, and have the rest delivered again; the server has done so when this returns."""
    for each in held:
        if each.seq > last:
            await client.publish(each.reply, _NAK)
    landed = [each for each in held if each.seq <= last]
    for each in landed[:-1]:
        await client.publish(each.reply, _ACK)
    if landed:
        await client.request(landed[-1].reply, _ACK, timeout=5)
