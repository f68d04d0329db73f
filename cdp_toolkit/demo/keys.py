"""Record ids as the vendors make them."""

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Whole

MARKETO = "123-ABC-456.Marketo"
SALESFORCE = "00D5g000000demo.Salesforce"
REGISTRY = "demo.Registry"

_DIGITS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype="S1")
_CHECKS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype="S1")


def salesforce_ids(prefix: str, numbers: Whole) -> pl.Series:
    """Make ids of 18 characters, of which the last three guard the case of the others.

    Each of the last three stands for five characters: bit n is set where the n-th of them is a capital.

    Parameters
    ----------
    prefix
        Three characters that tell the object, such as ``003`` for a contact.
    numbers
        One number a record.

    Returns
    -------
    polars.Series
        Texts of 18 characters.

    Examples
    --------
    >>> salesforce_ids("003", np.array([0, 36])).to_list()
    ['0035g00007B0000AAB', '0035g00007B000aAAB']
    """
    places = (numbers[:, None] + _FIRST) // 62 ** np.arange(8, -1, -1) % 62
    head = np.broadcast_to(np.frombuffer(f"{prefix}5g0".encode(), dtype="S1"), (numbers.size, 6))
    letters = np.hstack([head, _DIGITS[places]])
    is_capital = (letters >= b"A") & (letters <= b"Z")
    checks = (is_capital.reshape(-1, 3, 5) * 2 ** np.arange(5)).sum(axis=2)
    whole = np.ascontiguousarray(np.hstack([letters, _CHECKS[checks]]))
    return pl.Series(whole.view("S18").ravel()).cast(pl.String)


# Ids begin well above zero, as in an org that has been in use: large enough that all nine places carry something.
_FIRST = 62**5 * 7 + 62**4 * 11


def source_keys(ids: pl.Series, instance: str) -> pl.Series:
    """Return the keys of records, ``id@instance.type``.

    Parameters
    ----------
    ids
        Ids of one source.
    instance
        The source's instance and type, such as ``123-ABC-456.Marketo``.

    Returns
    -------
    polars.Series
        One key a record.
    """
    return ids.cast(pl.String) + f"@{instance}"
