"""A real PostgreSQL server of the test's own, and databases in it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import adbc_driver_postgresql.dbapi as driver

from tests.needed import lacking

_ACCESS = "host all reader 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
_numbers = count()


@dataclass(frozen=True)
class Server:
    """A server that belongs to user ``cdp``, who needs no password, and asks ``reader`` for ``pass/word 1``."""

    port: int

    def database(self) -> "Database":
        name = f"test_{next(_numbers)}"
        Database(self, "postgres").run(f"CREATE DATABASE {name}")
        return Database(self, name)


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    server: Server
    name: str

    def uri(self, user: str = "cdp") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/{self.name}"

    def run(self, *statements: str) -> list[tuple]:
        with driver.connect(self.uri(), autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def _programs() -> Path | None:
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return Path(found).resolve().parent if found else folders[-1] if folders else None


@contextmanager
def running() -> Iterator[Server]:
    programs = _programs()
    if programs is None:
        lacking("postgresql")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="cdp-postgresql-"))
    as_user = {}
    if os.getuid() == 0:  # as whom the server refuses to run
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody", "nogroup")

    def run(program, *arguments):
        command = [programs / program, "-D", folder / "data", *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **as_user)

    run("initdb", "--auth=trust", "--username=cdp", "--encoding=UTF8", "--locale=C", "--no-sync")
    (folder / "data" / "pg_hba.conf").write_text(_ACCESS)
    options = f"-F -h 127.0.0.1 -p {port} -c unix_socket_directories= -c timezone=Asia/Tokyo -c log_statement=none"
    run("pg_ctl", "--log", folder / "log", "--options", options, "--wait", "start")
    started = Server(port)
    Database(started, "postgres").run("CREATE ROLE reader LOGIN PASSWORD 'pass/word 1'")
    yield started
    run("pg_ctl", "--mode=immediate", "stop")
    shutil.rmtree(folder)
