"""What a destination's connector must do, and how it is opened.

A batch may come twice: a run that died after it had sent one does not know what became of it. The next run hands over
the same rows under the same ``Batch.key``, unless the connection can say what the destination has (``Asks``). So a
connection delivers a batch in one of three ways: the destination holds a set, where adding whom it has and removing
whom it lacks changes nothing; or it gets ``Batch.key`` as its idempotency key; or the connection asks. Retries of a
call that failed in transport are the connection's own and need no word here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import pyarrow as pa

from cdp_toolkit import plugins
from cdp_toolkit.destinations.definition import Destination, Mode
from cdp_toolkit.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What the destination takes, as its documentation says.

    A connection keeps to the calls itself; here they tell what a plan costs before it is carried out.

    Parameters
    ----------
    batch_rows
        Rows of a batch at the most; ``None`` if an audience is one batch, however large.
    concurrency
        Batches at once; above 1 ``deliver`` is called from several threads.
    calls_per_batch, calls_per_audience
        Calls that a batch takes, and that an audience takes besides.
    calls
        Calls in a window of ``window_s``; ``None`` if nothing is said.
    window_s
        Seconds of that window.
    audience_rows
        Members that an audience needs before the destination uses it.
    """

    batch_rows: int | None = None
    concurrency: int = 1
    calls_per_batch: int = 1
    calls_per_audience: int = 0
    calls: int | None = None
    window_s: float = 1.0
    audience_rows: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Parameters
    ----------
    status
        ``delivered``; ``refused`` for good, as the reason says; ``retry`` if it was not taken now and is to be tried
        with the next plan. A row of which nobody can say whether it was taken is no ``retry``: its batch raises
        ``ActivationError``.
    reason
        Why not delivered.
    known_as
        Id that the destination itself gave the row, such as a lead's; kept in the ledger and handed back with every
        later update and removal as ``_known_as``.
    """

    status: Literal["delivered", "refused", "retry"] = "delivered"
    reason: str | None = None
    known_as: str | None = None


DELIVERED = Outcome()


@dataclass(frozen=True)
class Batch:
    """Rows of one audience to deliver in one go.

    Parameters
    ----------
    key
        Names these rows and no others, for ever: the idempotency key. A batch that comes again has it again.
    plan_id
        The plan that it is part of.
    destination, audience
        Names.
    mode
        What ``rows`` holds: the whole audience or the differences.
    as_of
        When the plan was made.
    rows
        One row per identity: ``_action`` (``add``, ``update``, ``remove``; ``keep`` in full mode only),
        ``_row_key``, ``_profile_id``, ``_known_as``, and the destination's fields. A removed row knows only
        ``_row_key``, the value of ``Connection.identity`` that it was sent under, and ``_known_as``.
    refused
        Members that are not sent: ``_profile_id``, ``_reason``.
    """

    key: str
    plan_id: str
    destination: str
    audience: str
    mode: Mode
    as_of: datetime
    rows: pa.Table
    refused: pa.Table


class Connection(Protocol):
    """A way to one destination.

    Parameters
    ----------
    destination
        Its definition; the connector checks its own settings and raises ``ConfigError``.
    folder
        Folder of the workspace, which relative paths start from.
    """

    def __init__(self, destination: Destination, folder: Path) -> None: ...

    @property
    def entities(self) -> tuple[str, ...]:
        """Entities that it takes."""
        ...

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Modes that it can do, its usual one first."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """For each field that is sent a column of the profile or its path."""
        ...

    @property
    def identity(self) -> tuple[str, ...]:
        """Fields that the destination knows a row by; the first that is not null is the row's key."""
        ...

    @property
    def requires_source(self) -> str | None:
        """Type of the source that must have a live record of the person; the identity is then that record's."""
        ...

    @property
    def requires_instance(self) -> str | None:
        """Instance of that source, where one type has several."""
        ...

    @property
    def limits(self) -> Limits:
        """What it takes at once."""
        ...

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Deliver a batch, which may have come before.

        Parameters
        ----------
        batch
            Rows of one audience. Who is to be added and is there, or to be removed and is not, is delivered.

        Returns
        -------
        sequence of Outcome
            One per row, in the order of the rows.

        Raises
        ------
        ActivationError
            If this batch failed, or nobody can say whether it did; the others go on.
        ConnectorStopped
            If nothing more can be delivered.
        """
        ...


@runtime_checkable
class Asks(Protocol):
    """What a connection has besides if its destination can say what it has."""

    def confirm(self, batch: Batch) -> Sequence[Outcome | None]:
        """Ask what became of a batch whose answer was lost.

        Parameters
        ----------
        batch
            As it was handed over, but for the fields: only ``_action``, ``_row_key``, ``_profile_id`` and
            ``_known_as`` are left of its rows.

        Returns
        -------
        sequence of Outcome or None
            One per row, in the order of the rows: ``delivered`` if the destination is as the row wants it;
            ``None`` if it is not, and the row is to be planned anew.
        """
        ...


@runtime_checkable
class FindsRecords(Protocol):
    """What a connection has besides if it also knows a row by the id of its record in the required source."""

    @property
    def record_by(self) -> str:
        """Field that such a record has a value in; where no identity is known, the record's id is the row's key."""
        ...


@runtime_checkable
class HasPlaces(Protocol):
    """What a connector's class has besides if each audience has a place there that no other destination may tell."""

    @staticmethod
    def places(destination: Destination) -> Mapping[str, str]:
        """Return where each audience goes.

        Parameters
        ----------
        destination
            Its definition.

        Returns
        -------
        mapping
            By audience a text, for errors too; the same text is the same place.

        Raises
        ------
        ConfigError
            If a setting is wrong.
        """
        ...


def open_connection(destination: Destination, folder: Path, *, beside: Iterable[Destination] = ()) -> Connection:
    """Open the connection that a destination's type names.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.
    beside
        The workspace's destinations; those that come before it may not have an audience in the same place.

    Returns
    -------
    Connection
        Ready to plan for and deliver to.

    Raises
    ------
    UnknownNameError
        If there is no such connector; with the nearest names.
    ConfigError
        If a setting is wrong, or if a place is taken.
    """
    kind: type[Connection] = plugins.find("destinations", destination.type)
    if isinstance(kind, HasPlaces):
        earlier = takewhile(lambda each: each.name != destination.name, beside)
        _check_places(kind, destination, [each for each in earlier if each.type == destination.type])
    return kind(destination, folder)


def _check_places(kind: HasPlaces, destination: Destination, earlier: Iterable[Destination]) -> None:
    taken = {place: other.name for other in earlier for place in kind.places(other).values()}
    for place in kind.places(destination).values():
        if place in taken:
            raise ConfigError(
                f"The destinations {taken[place]!r} and {destination.name!r} would share {place}.",
                where=destination.where,
                hint="Name another in one of them, or delete one of the files.",
            )
