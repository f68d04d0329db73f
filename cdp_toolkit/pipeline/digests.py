"""Digests of definitions, by which a change of them is noticed."""

import hashlib
import json


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
    text = json.dumps(definitions, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
