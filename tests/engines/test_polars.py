"""What Polars is told before it runs anything."""

import os
import subprocess
import sys

import pytest

PIECES = """
import sys
import polars as pl
from cdp_toolkit.engines import open_engine

open_engine("polars")
sizes, file = [], sys.argv[1]
pl.DataFrame({"n": range(200_000)}).write_parquet(f"{file}.parquet")
looked_at = pl.col("n").map_batches(lambda rows: sizes.append(len(rows)) or rows, pl.Int64, is_elementwise=True)
pl.scan_parquet(f"{file}.parquet").select(looked_at).sink_parquet(f"{file}.copy")
print(max(sizes))
"""


@pytest.mark.parametrize(("asked", "rows"), [(None, 20_000), ("50000", 50_000)])
def test_polars_holds_few_rows_at_a_time_also_if_it_was_imported_first_and_heeds_who_asks_for_others(
    tmp_path, asked, rows
):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLARS_")}
    environment |= {} if asked is None else {"POLARS_IDEAL_MORSEL_SIZE": asked}

    done = subprocess.run(
        [sys.executable, "-c", PIECES, str(tmp_path / "rows")],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert int(done.stdout) == rows
