"""Secrets that no error and no log may show."""

import logging
from collections.abc import Iterable

_SHOWN = "•••"
_known: set[str] = set()


class Secrets:
    """Texts that are replaced wherever a message holds them; the log of the HTTP client never holds them either.

    Parameters
    ----------
    texts
        The secrets; those of fewer than 4 characters are taken for no secrets.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [text for text in texts if len(text) > 3]
        _known.update(self._texts)
        logger = logging.getLogger("httpx")
        if _without_secrets not in logger.filters:
            logger.addFilter(_without_secrets)

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"Secrets({len(self._texts)})"

    def redact(self, text: str) -> str:
        """Return a text without the secrets.

        Parameters
        ----------
        text
            Such as the message of an error.

        Returns
        -------
        str
            The text with each secret replaced.

        Examples
        --------
        >>> Secrets(["hunter22"]).redact("GET /?token=hunter22")
        'GET /?token=•••'
        """
        for each in self._texts:
            text = text.replace(each, _SHOWN)
        return text


def _without_secrets(record: logging.LogRecord) -> bool:
    shown = record.getMessage()
    for each in _known:
        shown = shown.replace(each, _SHOWN)
    record.msg, record.args = shown, ()
    return True
