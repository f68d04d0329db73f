"""How Arrow and Polars ask the system for memory. Both look only when they are loaded, so this comes before them.

What is set by hand stays; whoever loads one of them before the toolkit has their own settings. See decision 170.
"""

import os

_CORES = os.cpu_count() or 1
_SETTINGS = {
    # Huge pages: to have one at hand, the kernel moves others away. 1M events are read in 0.2 s, or in 1.7.
    "MIMALLOC_ALLOW_THP": "0",
    # What is freed stays a moment, since the next piece wants as much: in milliseconds; by default 10 and 500.
    "MIMALLOC_PURGE_DELAY": "1000",
    "_RJEM_MALLOC_CONF": f"narenas:{_CORES},dirty_decay_ms:2000",
}

for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
