"""Memory is asked for as the toolkit wants it, before anything loads Arrow or Polars; what is set by hand stays."""

import json
import os
import subprocess
import sys

import pytest

NAMES = ("MIMALLOC_ALLOW_THP", "MIMALLOC_PURGE_DELAY", "_RJEM_MALLOC_CONF")
# Says what was set at the moment at which each of the two was looked for first.
WATCHED = f"""
import json, os, sys
seen = {{}}
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("pyarrow", "polars"):
            seen.setdefault(name, {{each: os.environ.get(each) for each in {NAMES}}})
sys.meta_path.insert(0, Watch())
import cdp_toolkit
print(json.dumps(seen))
"""


def seen(**settings):
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-c", WATCHED]
    done = subprocess.run(command, env=plain | settings, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_it_is_said_before_arrow_and_polars_are_loaded():
    found = seen()
    assert found.keys() == {"pyarrow", "polars"}
    assert all(told["MIMALLOC_ALLOW_THP"] == "0" and None not in told.values() for told in found.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_by_hand_stays(name):
    assert all(told[name] == "7" for told in seen(**{name: "7"}).values())
