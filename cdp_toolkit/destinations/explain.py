"""Why someone was sent to a destination, or why not."""

from dataclasses import dataclass

import narwhals as nw

from cdp_toolkit.destinations.candidates import current_members
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.engines import Engine, Frame


@dataclass(frozen=True)
class Explanation:
    """Where a profile stands at a destination.

    Parameters
    ----------
    destination
        Name of the destination.
    profile_id
        Of whom.
    audiences
        A sentence by audience.
    """

    destination: str
    profile_id: int
    audiences: dict[str, str]

    def __str__(self) -> str:
        """Return one line an audience."""
        return "\n".join(f"{self.destination}, {audience}: {said}" for audience, said in self.audiences.items())


def explain(
    destination: Destination, profile_id: int, *, members: Frame, ledger: Frame, deliveries: Frame, engine: Engine
) -> Explanation:
    """Say of each audience of a destination whether a profile was sent, and why not.

    Parameters
    ----------
    destination
        Its definition.
    profile_id
        Of whom.
    members
        ``segments/membership``.
    ledger
        ``activation/ledger``.
    deliveries
        ``activation/deliveries``.
    engine
        Runs it.

    Returns
    -------
    Explanation
        What the destination was last told of the profile, from the last activation.
    """
    is_own = (nw.col("destination") == destination.name) & (nw.col("profile_id") == profile_id)
    current = current_members(members, destination).filter(nw.col("_profile_id") == profile_id)
    in_audience = set(engine.collect(current)["_audience"].to_pylist())
    told = {row["audience"]: row for row in engine.collect(ledger.filter(is_own).sort("sent_at")).to_pylist()}
    tried = {row["audience"]: row for row in engine.collect(deliveries.filter(is_own).sort("at")).to_pylist()}
    said = {
        audience: _say(audience in in_audience, told.get(audience, {}), tried.get(audience, {}))
        for audience in destination.audiences
    }
    return Explanation(destination.name, profile_id, said)


def _say(is_member: bool, entry: dict[str, object], last: dict[str, object]) -> str:  # noqa: FBT001 - read in one place
    if last.get("outcome") == "failed":
        return f"failed at {last['at']}, {last['reason']}; tried again at the next activation"
    match entry.get("state"):
        case "sent" if is_member:
            return f"sent as {entry['row_key']} at {entry['sent_at']}"
        case "sent":
            return f"sent as {entry['row_key']} at {entry['sent_at']}, no member any more"
        case "refused":
            return f"refused, {last.get('reason')}"
        case "removed":
            return f"removed at {entry['sent_at']}"
        case _:
            return "a member, not activated yet" if is_member else "not a member"
