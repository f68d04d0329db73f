"""Servers that keep files: S3, SFTP and a web server, each over one folder or bucket of its own."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import boto3
import botocore.config
from moto.server import ThreadedMotoServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from tests.stand_ins.serve import serving

LOGIN = {"key": "AKIA0000", "secret": "${env:AWS_SECRET}"}


@contextmanager
def s3() -> Iterator[str]:
    """Serve S3 with the empty bucket ``drop``, and yield the server's address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    login = {"aws_access_key_id": "AKIA0000", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=address, **login)
    client.create_bucket(Bucket="drop")
    for each in client.list_objects_v2(Bucket="drop").get("Contents", ()):  # of a server before, in the same process
        client.delete_object(Bucket="drop", Key=each["Key"])
    try:
        yield address
    finally:
        server.stop()


@contextmanager
def s3_apart() -> Iterator[str]:
    """Serve S3 with the empty bucket ``drop`` from another process, for clients that hold this one while they wait."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    login = {"aws_access_key_id": "AKIA0000", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    patient = botocore.config.Config(retries={"max_attempts": 10, "mode": "standard"})  # until the server is up
    try:
        boto3.client("s3", endpoint_url=address, config=patient, **login).create_bucket(Bucket="drop")
        yield address
    finally:
        process.kill()
        process.wait()


class _Login(asyncssh.SSHServer):
    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("feed", "pass/word 1")


@contextmanager
def sftp(folder: Path) -> Iterator[tuple[int, str]]:
    """Serve a folder by SFTP to ``feed`` with the password ``pass/word 1``; yield the port and the server's known host."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop, started, ended = asyncio.new_event_loop(), threading.Event(), []
    connections: list[asyncssh.SSHServerConnection] = []

    async def serve() -> None:
        server = await asyncssh.create_server(
            lambda: _Login(connections),
            "127.0.0.1",
            0,
            server_host_keys=[key],
            sftp_factory=lambda chan: asyncssh.SFTPServer(chan, chroot=folder),
        )
        ended.append(server)
        started.set()

    async def stop() -> None:
        ended[0].close()
        for connection in connections:
            connection.close()
            await connection.wait_closed()
        await ended[0].wait_closed()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait()
    port = ended[0].get_port()
    try:
        yield port, f"[127.0.0.1]:{port} {key.export_public_key().decode()}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def web(folder: Path, *, broken: list[str] | None = None) -> Iterator[str]:
    """Serve a folder with an index page; a name in ``broken`` is cut off once in the middle."""

    async def answer(request: Request) -> Response:
        path = folder / request.path_params["name"]
        if path.is_dir():
            links = "".join(f'<a href="{each.name}{"/" * each.is_dir()}">{each.name}</a>' for each in path.iterdir())
            return HTMLResponse(links)
        if not path.is_file():
            return Response(status_code=404)
        if request.method == "GET" and broken and path.name in broken:
            broken.remove(path.name)
            return Response(path.read_bytes()[:-3])
        return FileResponse(path)

    app = Starlette()
    app.add_route("/{name:path}", answer, methods=["GET", "HEAD"])
    with serving(app) as address:
        yield address
