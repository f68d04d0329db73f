"""Counts of the endpoint and of the rounds, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from cdp_toolkit.stream.appender import Appender


class Metrics:
    """Counts since the start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._messages = Counter("cdp_messages", "Messages taken", ["inlet"], registry=self._registry)
        self._poisoned = Counter("cdp_poisoned", "Messages kept as rejected", ["inlet"], registry=self._registry)
        self._refused = Counter("cdp_requests_refused", "Requests not taken", ["status"], registry=self._registry)
        self._waiting = Gauge("cdp_messages_waiting", "Messages not loaded yet", registry=self._registry)
        self._repeated = Gauge("cdp_messages_repeated", "Messages sent again and dropped", registry=self._registry)
        self._seconds = Gauge("cdp_round_seconds", "Seconds of the last round", ["verb"], registry=self._registry)
        self._lag = Gauge(
            "cdp_lag_seconds", "Age of the oldest message when the last round ended", registry=self._registry
        )
        self._moved = Counter("cdp_membership_changes", "Changes of membership", ["what"], registry=self._registry)
        self._rounds = Counter("cdp_rounds", "Rounds by outcome", ["outcome"], registry=self._registry)

    def took(self, inlet: str, messages: int, poisoned: int) -> None:
        """Count messages.

        Parameters
        ----------
        inlet
            Where they were sent to.
        messages, poisoned
            How many were taken, and how many of them cannot become records.
        """
        self._messages.labels(inlet).inc(messages)
        self._poisoned.labels(inlet).inc(poisoned)

    def refused(self, status: int) -> None:
        """Count a request that was not taken.

        Parameters
        ----------
        status
            What was answered.
        """
        self._refused.labels(status).inc()

    def went(self, verb: str, seconds: float) -> None:
        """Note how long a verb took.

        Parameters
        ----------
        verb
            Such as ``load``.
        seconds
            Seconds.
        """
        self._seconds.labels(verb).set(seconds)

    def ended(self, outcome: str, *, lag_s: float, entered: int, exited: int) -> None:
        """Note the end of a round.

        Parameters
        ----------
        outcome
            ``done``, ``partial`` or ``failed``.
        lag_s
            Age of the oldest message that waited when the round began.
        entered, exited
            Changes of membership.
        """
        self._rounds.labels(outcome).inc()
        self._lag.set(lag_s)
        self._moved.labels("entered").inc(entered)
        self._moved.labels("exited").inc(exited)

    def text(self, appender: Appender) -> str:
        """Return the counts.

        Parameters
        ----------
        appender
            Knows what waits.

        Returns
        -------
        str
            Lines.
        """
        self._waiting.set(appender.waiting)
        self._repeated.set(appender.repeated)
        return generate_latest(self._registry).decode()
