"""A durable log of messages: what an endpoint has acknowledged, until a load has landed it.

Invariants: ``append`` returns after the messages are on disk, flushed, so that what is acknowledged then outlives the
process and the machine's power. A number is never given twice, also after its message is gone. A message whose id was
seen within ``remember`` is not written again.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cdp_toolkit.errors import SourceError

_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, inlet TEXT NOT NULL, object TEXT NOT NULL, id TEXT NOT NULL,
  received_ms INTEGER NOT NULL, body TEXT NOT NULL, problem TEXT
);
CREATE INDEX IF NOT EXISTS messages_of ON messages (inlet, object, seq);
CREATE TABLE IF NOT EXISTS seen (
  inlet TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL, PRIMARY KEY (inlet, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (received_ms);
CREATE TABLE IF NOT EXISTS waiting (messages INTEGER NOT NULL);
"""
_CACHE_KB = 64_000  # ids come in no order, so that each is on another page
_PAGES_A_CHECKPOINT = 10_000  # 40 MB: a page that is written a hundred times is copied once


@dataclass(frozen=True)
class Message:
    """What somebody sent.

    Parameters
    ----------
    inlet
        Name of the source that it was sent to.
    object
        What it is, as the source's mapping names it.
    id
        Its sender's id for it; the same one is taken once.
    received_ms
        When it came, in milliseconds since 1970.
    body
        JSON object that becomes a row.
    problem
        Why it cannot become a record, if so.
    """

    inlet: str
    object: str
    id: str
    received_ms: int
    body: str
    problem: str | None = None


@dataclass(frozen=True)
class Backlog:
    """What waits to be landed: how many messages, and when the first of them came, in milliseconds since 1970."""

    messages: int
    oldest_ms: int | None


class MessageLog:
    """A log in one SQLite file.

    Parameters
    ----------
    file
        The file; made if it is not there.
    remember
        How long the id of a message is remembered, so that its repetition is dropped.
    """

    def __init__(self, file: Path, *, remember: timedelta = timedelta(days=7)) -> None:
        self.file = file
        self._remember_ms = int(remember.total_seconds() * 1000)
        self._kept = threading.local()
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.executescript(_TABLES)
            if not connection.execute("SELECT 1 FROM waiting").fetchone():
                connection.execute("INSERT INTO waiting SELECT count(*) FROM messages")

    def append(self, messages: Sequence[Message]) -> int:
        """Write messages and wait until they are on disk.

        Parameters
        ----------
        messages
            In the order of their coming.

        Returns
        -------
        int
            How many are new; those seen before are dropped.

        Raises
        ------
        SourceError
            If the disk takes no more, or the file is damaged; nothing of it was written then.
        """
        try:
            with self._open() as connection:
                connection.execute("BEGIN IMMEDIATE")
                before = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
                numbered = [(before + i, each) for i, each in enumerate(messages, 1)]
                connection.executemany(
                    "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)",
                    [(each.inlet, each.id, seq, each.received_ms) for seq, each in numbered],
                )
                connection.executemany(
                    "INSERT INTO messages SELECT ?, ?, ?, ?, ?, ?, ? "
                    "WHERE (SELECT seq FROM seen WHERE inlet = ?2 AND id = ?4) = ?1",
                    [(seq, m.inlet, m.object, m.id, m.received_ms, m.body, m.problem) for seq, m in numbered],
                )
                written = connection.execute("SELECT count(*) FROM messages WHERE seq > ?", (before,)).fetchone()[0]
                connection.execute("UPDATE waiting SET messages = messages + ?", (written,))
                return int(written)
        except sqlite3.Error as error:
            raise SourceError(
                f"The log of messages cannot be written: {error}.",
                where=str(self.file),
                hint="Make room on the disk; if it is damaged, move it away.",
            ) from error

    def last(self) -> int:
        """Return the number that was given last.

        Returns
        -------
        int
            0 if none was.
        """
        with self._open() as connection:
            return int(connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0])

    def begin_behind(self, number: int) -> None:
        """Give higher numbers than one, in a log that has given none.

        Parameters
        ----------
        number
            That of the last message that was landed from a log that was lost.
        """
        with self._open() as connection:
            connection.execute(
                "INSERT INTO sqlite_sequence SELECT 'messages', ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence)",
                (number,),
            )

    def objects(self, inlet: str) -> list[str]:
        """Return what waits of an inlet.

        Parameters
        ----------
        inlet
            Name of the source.

        Returns
        -------
        list of str
            Objects, in order.
        """
        asked = "SELECT DISTINCT object FROM messages WHERE inlet = ? ORDER BY object"
        with self._open() as connection:
            return [name for (name,) in connection.execute(asked, (inlet,))]

    def read(self, inlet: str, name: str, *, after: int, most: int) -> list[tuple[int, str, str | None]]:
        """Return messages that wait, in the order of their coming.

        Parameters
        ----------
        inlet
            Name of the source.
        name
            The object.
        after
            Number of the last message that was landed.
        most
            How many at the most.

        Returns
        -------
        list of tuple
            Number, body and problem of each.
        """
        asked = (
            "SELECT seq, body, problem FROM messages WHERE inlet = ? AND object = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        with self._open() as connection:
            return connection.execute(asked, (inlet, name, after, most)).fetchall()

    def forget(self, inlet: str, name: str, *, until: int) -> None:
        """Delete messages that were landed, and ids that need no longer be remembered.

        Parameters
        ----------
        inlet
            Name of the source.
        name
            The object.
        until
            Number of the last message that was landed.
        """
        landed = "DELETE FROM messages WHERE inlet = ? AND object = ? AND seq <= ?"
        old = (
            "DELETE FROM seen WHERE received_ms < (SELECT max(received_ms) FROM seen) - ? "
            "AND seq < coalesce((SELECT min(seq) FROM messages), seq + 1)"
        )
        waits = "SELECT 1 FROM messages WHERE inlet = ? AND object = ? AND seq <= ? LIMIT 1"
        with self._open() as connection:
            if not connection.execute(waits, (inlet, name, until)).fetchone():
                return  # to look takes no lock, to delete nothing would
            if count := connection.execute(landed, (inlet, name, until)).rowcount:
                connection.execute("UPDATE waiting SET messages = messages - ?", (count,))
                connection.execute(old, (self._remember_ms,))

    def backlog(self) -> Backlog:
        """Return how much waits, of all inlets.

        Returns
        -------
        Backlog
            Messages, and the time of the oldest.
        """
        with self._open() as connection:
            ((count,),) = connection.execute("SELECT messages FROM waiting")
            first = connection.execute("SELECT received_ms FROM messages ORDER BY seq LIMIT 1").fetchone()
            return Backlog(count, first and first[0])

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the file open for this thread: what it has read of it stays in memory.

        Yields
        ------
        None
            While it is open.
        """
        with closing(self._connect()) as connection:
            self._kept.connection, self._kept.file = connection, self.file.stat().st_ino
            try:
                yield
            finally:
                self._kept.connection = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        kept: sqlite3.Connection | None = getattr(self._kept, "connection", None)
        if kept is not None and self.file.exists() and self.file.stat().st_ino == self._kept.file:
            with kept:
                yield kept
            return
        with closing(self._connect()) as connection, connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_A_CHECKPOINT}")
        return connection
