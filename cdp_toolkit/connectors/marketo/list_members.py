"""Who is added to a static list and taken off it."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from cdp_toolkit.connectors.marketo.client import MOST_IDS, Marketo

_NOT_IN_LIST, _NO_LEAD = "1015", "1004"


class ListMembers:
    """Members of static lists; who was added under one key is not taken off under another.

    A lead whose e-mail address came, went or changed is added under the new key and removed under the old one, in
    whatever order. It is the same lead, and stays.

    Parameters
    ----------
    marketo
        The instance.
    """

    def __init__(self, marketo: Marketo) -> None:
        self._marketo = marketo
        self._added: dict[tuple[int, int], set[str]] = {}  # by list and lead the keys
        self._lock = threading.Lock()

    def add(self, number: int, leads: Mapping[str, Sequence[int]]) -> dict[int, str]:
        """Add leads to a list.

        Parameters
        ----------
        number
            Id of the list.
        leads
            Their ids, by the key that they are added under.

        Returns
        -------
        dict
            By lead what keeps it from the list; empty for one that is on it.
        """
        with self._lock:
            for key, ids in leads.items():
                for each in ids:
                    self._added.setdefault((number, each), set()).add(key)
        return self._tell("POST", number, [each for ids in leads.values() for each in ids])

    def remove(self, number: int, leads: Mapping[str, Sequence[int]]) -> dict[int, str]:
        """Take leads off a list, but for those that were added under another key.

        Parameters
        ----------
        number
            Id of the list.
        leads
            Their ids, by the key that they are removed under.

        Returns
        -------
        dict
            By lead what keeps it on the list; empty for one that is not on it.
        """
        with self._lock:  # a lead that is added now is added after the removal
            for key, ids in leads.items():
                for each in ids:
                    self._added.get((number, each), set()).discard(key)
            gone = [each for ids in leads.values() for each in ids if not self._added.get((number, each))]
            return self._tell("DELETE", number, gone)

    def _tell(self, method: str, number: int, ids: Sequence[int]) -> dict[int, str]:
        told: dict[int, str] = {}
        for start in range(0, len(ids), MOST_IDS):
            answer = self._marketo.send(
                method, f"/rest/v1/lists/{number}/leads.json", ids=ids[start : start + MOST_IDS]
            )
            told |= {int(each["id"]): _problem(each, is_removal=method == "DELETE") for each in answer["result"]}
        return told


def _problem(told: Mapping[str, Any], *, is_removal: bool) -> str:
    if told["status"] in {"added", "removed", "memberof"}:
        return ""
    reason = (told.get("reasons") or [{"code": "", "message": str(told["status"])}])[0]
    is_gone = is_removal and str(reason["code"]) in {_NOT_IN_LIST, _NO_LEAD}
    return "" if is_gone else str(reason["message"])
