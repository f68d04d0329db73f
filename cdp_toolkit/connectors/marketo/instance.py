"""What all objects of an instance are read with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cdp_toolkit.connectors.marketo.bulk import Exports
from cdp_toolkit.connectors.marketo.client import Marketo
from cdp_toolkit.sources.source import Delivered


@dataclass(frozen=True)
class Instance:
    """An instance of Marketo, as it is read by one load.

    Parameters
    ----------
    marketo
        Its API.
    folder
        Where files of extracts are kept until they have landed.
    landed
        Gives what objects have landed.
    now
        When the load began.
    since
        Where the backfill begins.
    overlap
        How far increments reach back.
    refresh
        How long what is looked up by key stays as it is.
    poll_s
        How often to ask for an extract.
    """

    marketo: Marketo
    folder: Path
    landed: Delivered
    now: datetime
    since: datetime
    overlap: timedelta
    refresh: timedelta
    poll_s: float
    # https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract/bulk-extract#limits
    longest_window: timedelta = timedelta(days=31)

    def exports(self, kind: str) -> Exports:
        """Return the extracts of a kind.

        Parameters
        ----------
        kind
            ``leads``, ``activities`` or ``program/members``.

        Returns
        -------
        Exports
            To create, await and fetch.
        """
        return Exports(self.marketo, kind, self.folder, poll_s=self.poll_s)
