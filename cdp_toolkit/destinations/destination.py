"""What a destination's connector must do, and how it is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from cdp_toolkit import plugins
from cdp_toolkit.destinations.definition import Destination, Mode


@dataclass(frozen=True)
class Limits:
    """What the destination takes at once.

    Parameters
    ----------
    batch_rows
        Rows of a batch at the most; ``None`` if an audience is one batch, however large.
    """

    batch_rows: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Parameters
    ----------
    status
        ``delivered``; ``refused`` for good, as the reason says; ``retry`` with the next plan.
    reason
        Why not delivered.
    """

    status: Literal["delivered", "refused", "retry"] = "delivered"
    reason: str | None = None


DELIVERED = Outcome()


@dataclass(frozen=True)
class Batch:
    """Rows of one audience to deliver in one go.

    Parameters
    ----------
    plan_id
        Same for the same change of the same state: what was delivered under it may be written again, not twice.
    destination, audience
        Names.
    mode
        What ``rows`` holds: the whole audience or the differences.
    as_of
        When the plan was made.
    rows
        One row per identity: ``_action`` (``add``, ``update``, ``remove``; ``keep`` in full mode only),
        ``_row_key``, ``_profile_id``, and the destination's fields. A removed row knows its key only.
    refused
        Members that are not sent: ``_profile_id``, ``_reason``. All of them in full mode, else the new ones.
    """

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
        """Deliver a batch.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            One per row, in the order of the rows.

        Raises
        ------
        ActivationError
            If this batch failed; the others go on.
        ConnectorStopped
            If nothing more can be delivered.
        """
        ...


def open_connection(destination: Destination, folder: Path) -> Connection:
    """Open the connection that a destination's type names.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.

    Returns
    -------
    Connection
        Ready to plan for and deliver to.

    Raises
    ------
    UnknownNameError
        If there is no such connector; with the nearest names.
    ConfigError
        If a setting is wrong.
    """
    kind: type[Connection] = plugins.find("destinations", destination.type)
    return kind(destination, folder)
