"""A server that speaks Spark Connect, and what becomes of those who asked it."""

import subprocess
import sys

import pytest

from tests.stand_ins import clusters

pytestmark = pytest.mark.spark

ASKING = """
import sys
import pyarrow as pa
from cdp_toolkit.engines import open_engine
engine = open_engine({"spark": sys.argv[1]})
print(engine.collect(engine.load(pa.table({"id": [1, 2]}))).num_rows, flush=True)
sys.stdin.read()
"""
GOES_ON = """
import time
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor(1).submit(engine.load, pa.table({"id": [1]}))
time.sleep(1)  # by then the server has not answered
"""


@pytest.mark.parametrize("more", ["", GOES_ON], ids=["idle", "asking"])
def test_a_process_ends_at_once_though_its_server_is_gone(tmp_path, more):
    pytest.importorskip("pysail", reason="run `make test-spark`")
    script = tmp_path / "asking.py"
    script.write_text(ASKING + more, "utf-8")
    with clusters.sail(tmp_path / "server") as address:
        command = [sys.executable, script, address]
        asking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert asking.stdout.readline() == "2\n"

    try:
        asking.communicate(timeout=300)  # it tried for ten minutes
    finally:
        asking.kill()

    assert asking.returncode == 0
