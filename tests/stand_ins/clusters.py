"""Spark Connect servers in processes of their own: Sail, and Spark itself with Java, alone or with workers.

Spark is where ``SPARK_HOME`` says, else where ``make test-cluster`` puts it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.needed import lacking

_HOME = Path(__file__).parents[2] / ".spark" / "pyspark"
_WORKER = "CoarseGrainedExecutorBackend"


@contextmanager
def sail(folder: Path, *, mode: str = "local") -> Iterator[str]:
    """Serve Spark Connect by Sail, in the mode ``local`` or ``local-cluster``, and yield its address."""
    port = _free_port()
    told = {"SAIL_MODE": mode, "SAIL_EXECUTION__CHECKPOINT__PATH": (folder / "checkpoints").as_uri()}
    command = [Path(sys.executable).with_name("sail"), "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    with _running(command, folder / "sail.log", told, port):
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def spark(folder: Path, *, master: str = "local[2]") -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve Spark Connect by Spark itself; yield its address, and what kills one of its workers, if it has any."""
    home = Path(os.environ.get("SPARK_HOME", _HOME))
    if not shutil.which("java"):
        lacking("openjdk-17-jre-headless")
    if not home.is_dir():
        lacking("Spark, which `make test-cluster` installs")
    port = _free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
        "spark.checkpoint.dir": (folder / "checkpoints").as_uri(),
        "spark.sql.shuffle.partitions": 4,  # as many as there are cores, not the 200 of a large cluster
        "spark.executor.memory": "1536m",
    }
    told = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command = [home / "bin" / "spark-submit", "--master", master, "--driver-memory", "3g", *told,
               "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]  # fmt: skip
    with _running(command, folder / "spark.log", {"SPARK_HOME": str(home)}, port) as server:
        yield f"sc://127.0.0.1:{port}", lambda: os.kill(_workers(server.pid)[0], signal.SIGKILL)


@contextmanager
def _running(command: list[str | Path], log: Path, told: Mapping[str, str], port: int) -> Iterator[subprocess.Popen]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | told, cwd=log.parent,
                                  start_new_session=True)  # fmt: skip
    try:
        _wait_for(server, port, log)
        yield server
        if server.poll() is not None:
            raise RuntimeError(f"The server ended by itself with {server.returncode}: {log.read_text('utf-8')[-2000:]}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(server: subprocess.Popen, port: int, log: Path) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            try:
                server.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(log.read_text("utf-8")) from None
        else:
            return


def _workers(group: int) -> list[int]:
    """Return the processes of a server's group that are workers."""
    found = [(int(each.name), each) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return sorted(pid for pid, each in found if _is_worker(each) and os.getpgid(pid) == group)


def _is_worker(process: Path) -> bool:
    try:
        return _WORKER in (process / "cmdline").read_text("utf-8")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
