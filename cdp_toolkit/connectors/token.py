"""A bearer token: fetched when it is needed, and again when it runs out or is refused."""

import threading
import time
from collections.abc import Callable, Mapping

_MARGIN_S = 10.0


class Token:
    """Access by a token that a login gives for a while.

    Parameters
    ----------
    login
        Gives a token and the seconds that it lives; ``inf`` where the vendor does not say.
    clock
        Tells the time.
    margin_s
        How long before its end a token is given up.

    Examples
    --------
    >>> tokens = iter([("one", 3600.0), ("two", 3600.0)])
    >>> token = Token(lambda: next(tokens))
    >>> refused = token.headers()
    >>> refused
    {'Authorization': 'Bearer one'}
    >>> token.renew(refused)
    >>> token.headers()
    {'Authorization': 'Bearer two'}
    """

    def __init__(
        self,
        login: Callable[[], tuple[str, float]],
        *,
        clock: Callable[[], float] = time.monotonic,
        margin_s: float = _MARGIN_S,
    ) -> None:
        self._login, self._clock, self._margin_s = login, clock, margin_s
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def __repr__(self) -> str:
        """Return a text without the token."""
        return "Token(•••)"

    def headers(self) -> Mapping[str, str]:
        """Return the header with the token; see ``Access.headers``.

        Returns
        -------
        mapping
            ``Authorization``.
        """
        with self._lock:
            if not self._token or self._clock() >= self._ends:
                self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        """Fetch another token, unless another call has done so; see ``Access.renew``.

        Parameters
        ----------
        refused
            Headers that were refused.
        """
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._fetch()

    def _fetch(self) -> None:
        began = self._clock()
        self._token, lives_s = self._login()
        # A vendor may give a token that is about to end: using it up is better than asking again for each call.
        self._ends = began + max(lives_s - self._margin_s, min(lives_s, 1.0))
