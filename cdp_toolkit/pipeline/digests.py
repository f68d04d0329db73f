"""Digests of definitions, by which a change of them is noticed."""

import hashlib
import json

from cdp_toolkit.lake.tables import TABLES


def digest(*definitions: object) -> str:
    """Return a digest of definitions, by which a change of them is noticed.

    Parameters
    ----------
    *definitions
        Anything that JSON can hold.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    # Tables that an older version wrote with other columns are made anew.
    layout = {name: list(table.columns) for name, table in TABLES.items()}
    text = json.dumps([*definitions, layout], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
