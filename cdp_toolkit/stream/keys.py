"""Keys that senders show: made here, kept as digests only, compared in constant time."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

_SCHEME = "sha256:"


def make_key() -> tuple[str, str]:
    """Return a new key, and the digest that the settings keep of it.

    Returns
    -------
    key, digest
        256 random bits; a digest of so many needs no salt and no stretching.
    """
    key = secrets.token_urlsafe(32)
    return key, digest_of(key)


def digest_of(key: str) -> str:
    """Return what the settings keep of a key.

    Parameters
    ----------
    key
        The key.

    Returns
    -------
    str
        Its digest, with the name of the scheme.

    Examples
    --------
    >>> digest_of("secret")[:20]
    'sha256:2bb80d537b1da'
    """
    return _SCHEME + hashlib.sha256(key.encode()).hexdigest()


def fits(key: str, digests: Iterable[str]) -> bool:
    """Tell whether a key is one of those that may send.

    Parameters
    ----------
    key
        What the sender showed.
    digests
        What the settings keep.

    Returns
    -------
    bool
        Every digest is looked at, so that the time taken tells nothing.
    """
    shown = digest_of(key)
    return sum(hmac.compare_digest(shown, each) for each in digests) > 0
