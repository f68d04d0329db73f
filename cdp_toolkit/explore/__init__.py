"""What people see: numbers of the lake as small frames, charts of them, one report, and notebooks that run unattended.

``numbers`` reads, ``charts`` draws, ``report`` and ``notebooks`` make pages. Nothing here needs a network.
"""

import sys

# Altair, papermill and nbconvert import jsonschema, which parses a grammar of web addresses when it finds this optional
# package: 1.3 of 2 seconds, in each kernel, for a check that nothing here uses.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
