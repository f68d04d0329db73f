"""Activities in the order in which they happened, by paging token.

A token says how far a reader has come, and always comes with an answer; only ``moreResult`` says whether to go on. A page
may hold fewer rows than it could, or none.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/activities
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.marketo.codes import NO_PERMISSION
from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.sources.rows import Page
from cdp_toolkit.sources.source import Overlap
from cdp_toolkit.sources.windows import moment, stamp


@dataclass(frozen=True)
class Stream:
    """A stream of activities.

    Parameters
    ----------
    instance
        Where from.
    name
        ``activities``, ``leadchanges`` or ``deletedleads``.
    params
        What to ask for.
    """

    instance: Instance
    name: str
    params: Mapping[str, Any]

    def pages(self, place: Mapping[str, str] | None, since: datetime) -> Iterator[Page]:
        """Return what happened after a place.

        Parameters
        ----------
        place
            Where the last load came to, as the cursor of a page says; None to begin at ``since``.
        since
            Where to begin.

        Yields
        ------
        Page
            Activities as Marketo writes them; the cursor says where they end, the share of the last one is 1.
        """
        began = self.instance.now
        token = place["token"] if place else self._token(since)
        is_old = place is not None
        while True:
            try:
                answer = self._ask(token)
            except RefusedError as error:
                if not is_old or place is None or error.code == NO_PERMISSION:
                    raise
                # A token that Marketo does not take any more: begin again where that one was given out.
                token, is_old = self._token(moment(place["at"]) - self.instance.overlap), False
                continue
            token, is_old = str(answer["nextPageToken"]), False
            is_last = not answer.get("moreResult")
            rows = answer.get("result") or []
            yield Page(rows, {"token": token, "at": stamp(began)}, 1.0 if is_last else self._share(rows, since, began))
            if is_last:
                return

    def overlap(self, place: Mapping[str, str] | None, since: datetime, *columns: str) -> Overlap:
        """Return which rows may have landed before: those since the last load, since what happens twice comes twice.

        Parameters
        ----------
        place
            Where the last load came to.
        since
            Where the stream begins.
        *columns
            Columns that together say that two rows are the same; all of them if none is named.

        Returns
        -------
        Overlap
            For the batches of the stream.
        """
        return Overlap(columns, moment(place["at"]) - self.instance.overlap if place else since)

    def _ask(self, token: str) -> dict[str, Any]:
        return self.instance.marketo.get(f"/rest/v1/activities{self._suffix}.json", nextPageToken=token, **self.params)

    @property
    def _suffix(self) -> str:
        return "" if self.name == "activities" else f"/{self.name}"

    def _token(self, since: datetime) -> str:
        asked = self.instance.marketo.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=stamp(since))
        return str(asked["nextPageToken"])

    @staticmethod
    def _share(rows: list[dict[str, Any]], since: datetime, until: datetime) -> float | None:
        if not rows:
            return None
        whole = (until - since).total_seconds() or 1.0
        return min(max((moment(rows[-1]["activityDate"]) - since).total_seconds() / whole, 0.0), 0.99)
