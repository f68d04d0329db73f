"""Runs a stand-in on loopback: in a thread of the test, or as a process of its own."""

import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

ROOT = Path(__file__).parents[2]
# Connectors call public addresses only, but for those that someone allows.
os.environ.setdefault("CDP_ALLOW_NETWORKS", "127.0.0.0/8")


@contextmanager
def serving(app: Any, *, lifespan: str = "off") -> Iterator[str]:
    """Serve an ASGI app from a thread, and yield its address such as ``http://127.0.0.1:41234``."""
    listener = _listener()
    server = uvicorn.Server(_config(app, lifespan))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def serving_apart(factory: str, **options: Any) -> Iterator[str]:
    """Serve the app that ``module:function`` makes of options from another process, and yield its address."""
    listener = _listener()
    command = [sys.executable, "-m", "tests.stand_ins.serve", factory, str(listener.fileno()), json.dumps(options)]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()])
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.kill()
        process.wait()
        listener.close()


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # callers wait in the queue until the server is up: nobody has to poll
    return listener


def _config(app: Any, lifespan: str = "off") -> uvicorn.Config:
    waits = {"timeout_graceful_shutdown": 1, "timeout_keep_alive": 60}
    return uvicorn.Config(app, log_level="critical", lifespan=lifespan, **waits)


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    made = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[3]))
    uvicorn.Server(_config(made)).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
