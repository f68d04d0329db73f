"""Calls to a vendor's API: how fast, how often again, with which token, and what an answer means.

A vendor tells three things: where (``base_url``), who (``Access``, such as a ``Token``), and what its answers mean (a
``Judge``). The rest is the same for all: a call waits until the limits allow it, is repeated as its ``Verdict`` says, and
ends in an answer or in one of the toolkit's errors, none of which holds a secret that was revealed.
"""

import logging
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import stamina

from cdp_toolkit.connectors.address import Network, allowed_networks, guarded
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.verdict import Judge, Verdict, by_status
from cdp_toolkit.errors import ConnectorStopped, QuotaExhausted, SourceError
from cdp_toolkit.secrets import redact
from cdp_toolkit.sources.budget import Budget

_RENEWALS = 2
# Who wants to see each repetition sets up logging; without it, Python would write a bare word to standard error.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class RefusedError(SourceError):
    """A call that the vendor answered with an error, and that a repetition would not help.

    Parameters
    ----------
    verdict
        What the answer means.
    where
        Method and path of the call.
    """

    def __init__(self, verdict: Verdict, *, where: str) -> None:
        super().__init__(verdict.message, where=where, hint=verdict.hint)
        self.code = verdict.code


class Access(Protocol):
    """Who calls: the headers that say so."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers of a call.

        Returns
        -------
        mapping
            Such as ``Authorization``.
        """
        ...

    def renew(self, refused: Mapping[str, str]) -> None:
        """Get new headers, since a vendor refused these.

        Parameters
        ----------
        refused
            Headers that were refused; nothing is done where others are in use by now.
        """
        ...


class Http:
    """A vendor's API over HTTP.

    Parameters
    ----------
    name
        Name of the vendor, for messages.
    base_url
        Where paths begin.
    access
        Who calls; nobody in particular by default.
    judge
        What answers mean; by their status by default.
    limiters
        All of them must allow a call.
    concurrency
        How many calls run at once.
    budget
        Calls of a day.
    patience
        How often a call is repeated.
    timeout_s
        How long an answer may take.
    allowed
        Networks that may be called besides the public ones and those that ``CDP_ALLOW_NETWORKS`` names.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        access: Access | None = None,
        judge: Judge | None = None,
        limiters: Sequence[Limiter] = (),
        concurrency: int = 5,
        budget: Budget | None = None,
        patience: Patience | None = None,
        timeout_s: float = 60.0,
        allowed: Sequence[Network] = (),
    ) -> None:
        self.name = name
        self.access = access
        self.budget = budget or Budget()
        self._judge = judge or by_status
        self._limiters = limiters
        self._slots = threading.BoundedSemaphore(concurrency)
        self._patience = patience or Patience()
        transport = guarded(allowed_networks(allowed), where=f"address of {name}")
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s, follow_redirects=False, transport=transport)
        weakref.finalize(self, self._client.close)

    def call(self, method: str, path: str, *, is_login: bool = False, **options: Any) -> httpx.Response:
        """Make a call until it succeeds.

        Parameters
        ----------
        method, path
            Such as ``GET`` and ``/rest/v1/leads.json``.
        is_login
            Whether it asks for a token, and so carries none and counts as no call.
        **options
            As of ``httpx.Client.request``: ``params``, ``json``, ``data``, ``content``, ``headers``.

        Returns
        -------
        httpx.Response
            The answer, read.

        Raises
        ------
        RefusedError
            If the vendor refuses this call, or keeps failing.
        ConnectorStopped
            If the vendor cannot be reached, or refuses the login.
        QuotaExhausted
            If the calls of the day are spent.
        """
        return self._until_it_works(method, path, options, is_login=is_login, is_whole=True)

    @contextmanager
    def stream(self, method: str, path: str, *, is_login: bool = False, **options: Any) -> Iterator[httpx.Response]:
        """Make a call until its answer begins well; the body is read within.

        Parameters
        ----------
        method, path
            Such as ``GET`` and ``/bulk/v1/leads/export/1/file.json``.
        is_login
            Whether it asks for a token.
        **options
            As of ``httpx.Client.request``.

        Yields
        ------
        httpx.Response
            The answer. A connection that breaks within raises ``RefusedError`` with the code ``broken``.
        """
        answer = self._until_it_works(method, path, options, is_login=is_login, is_whole=False)
        try:
            yield answer
        except httpx.TransportError as error:
            broken = Verdict("retry", f"{self.name} broke off: {_told(error)}", "broken")
            raise RefusedError(broken, where=_place(method, path)) from None
        finally:
            answer.close()
            self._slots.release()

    def _until_it_works(
        self, method: str, path: str, options: Mapping[str, Any], *, is_login: bool, is_whole: bool
    ) -> httpx.Response:
        patience, renewals, where = self._patience, 0, _place(method, path)
        try:
            for attempt in stamina.retry_context(
                on=_pause, attempts=patience.attempts, timeout=None, wait_initial=patience.first_s,
                wait_max=patience.most_s, wait_jitter=patience.first_s,
            ):  # fmt: skip
                with attempt:
                    access = None if is_login else self.access
                    own = access.headers() if access else {}
                    request = self._client.build_request(
                        method, path, **{**options, "headers": {**options.get("headers", {}), **own}}
                    )
                    answer, verdict = self._once(request, is_login=is_login, is_whole=is_whole)
                    if verdict is None:
                        return answer
                    is_renewed = verdict.kind == "renew" and access is not None and renewals < _RENEWALS
                    if access and is_renewed:
                        access.renew(own)
                        renewals += 1
                    self._end(verdict, where, is_renewed=is_renewed)
        except _AgainError as error:
            raise self._given_up(error.verdict, where) from None
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _once(self, request: httpx.Request, *, is_login: bool, is_whole: bool) -> tuple[httpx.Response, Verdict | None]:
        """Make a call once. A slot stays taken only by a body that is still to be read."""
        self._slots.acquire()
        is_open = False
        try:
            for limiter in self._limiters:
                limiter.wait()
            if not is_login:
                self.budget.spend()
            answer = self._client.send(request, stream=True)
            if is_whole or not _is_file(answer):
                answer.read()
                verdict = self._judge(answer)
            else:
                verdict = None
            is_open = verdict is None and not is_whole
        except httpx.TransportError as error:
            down = Verdict("retry", f"{self.name} cannot be reached: {_told(error)}", "down")
            raise _AgainError(down) from None
        finally:
            if not is_open:
                self._slots.release()
        return answer, verdict

    def _end(self, verdict: Verdict, where: str, *, is_renewed: bool) -> None:
        """Raise what a verdict asks for."""
        if is_renewed:
            raise _AgainError(verdict, 0.0)
        if verdict.kind == "retry":
            raise _AgainError(verdict)
        if verdict.kind == "wait" and verdict.wait_s <= self._patience.longest_wait_s:
            raise _AgainError(verdict, verdict.wait_s)
        message = redact(f"{self.name}: {verdict.message}")
        if verdict.kind in {"wait", "quota"}:
            later = verdict.resume_at or datetime.now(UTC) + timedelta(seconds=verdict.wait_s)
            raise QuotaExhausted(message, resume_at=later, where=where)
        if verdict.kind == "refuse":
            raise RefusedError(Verdict("refuse", message, verdict.code, verdict.hint), where=where)
        raise ConnectorStopped(message, where=where, hint=verdict.hint or "Check the login in `cdp.yaml`.")

    def _given_up(self, verdict: Verdict, where: str) -> ConnectorStopped | RefusedError:
        message = redact(f"{verdict.message} ({self._patience.attempts} attempts)")
        if verdict.code == "down":
            return ConnectorStopped(message, where=where, hint="Check the address and the network, then run again.")
        hint = verdict.hint or "Run again later: it goes on where it was."
        return RefusedError(Verdict(verdict.kind, f"{self.name}: {message}", verdict.code, hint), where=where)


class _AgainError(Exception):
    def __init__(self, verdict: Verdict, wait_s: float | None = None) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.wait_s = wait_s


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, _AgainError):
        return False
    return True if error.wait_s is None else error.wait_s


def _told(error: Exception) -> str:
    return redact(str(error)) or type(error).__name__


def _is_file(answer: httpx.Response) -> bool:
    kind = answer.headers.get("Content-Type", "")
    return answer.is_success and not any(each in kind for each in ("json", "html"))


def _place(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"
