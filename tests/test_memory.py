"""Memory is asked for as the toolkit wants it, from the first line that loads Arrow or Polars; what is set by hand stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
PR_SET_THP_DISABLE = 41
NAMES = ("MIMALLOC_ALLOW_THP", "MIMALLOC_PURGE_DELAY", "_RJEM_MALLOC_CONF")


def said(code: str, **settings: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", code], env=plain | settings, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_is_set_by_hand_stays():
    told = said("import os, cdp_toolkit; print(os.environ['MIMALLOC_PURGE_DELAY'])", MIMALLOC_PURGE_DELAY="7")
    assert told == "7"


@pytest.mark.skipif(
    not STATUS.exists() or "THP_enabled:" not in STATUS.read_text("utf-8"),
    reason="this system does not say whether a process has huge pages",
)
@pytest.mark.parametrize(("settings", "shown"), [({}, "0"), ({"MIMALLOC_ALLOW_THP": "1"}, "1")])
def test_the_toolkit_says_it_before_arrow_is_loaded(settings, shown):
    # A process has it from the one that started it, and this one has loaded the toolkit: given back first.
    code = f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_THP_DISABLE}, 0, 0, 0, 0); import cdp_toolkit"
    told = f"open('{STATUS}').read().partition('THP_enabled:')[2].split()[0]"
    assert said(f"{code}; print({told})", **settings) == shown
