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
    destination: Destination, profile_id: int, *, members: Frame, history: Frame, engine: Engine
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
    history
        What became of all that the destination was told, see ``ledger.of_destination``.
    engine
        Runs it.

    Returns
    -------
    Explanation
        What the destination was last told of the profile, from the last activation.
    """
    current = current_members(members, destination).filter(nw.col("_profile_id") == profile_id)
    in_audience = set(engine.collect(current)["_audience"].to_pylist())
    own = engine.collect(history.filter(nw.col("profile_id") == profile_id).sort("entry")).to_pylist()
    last = {row["audience"]: row for row in own if row["action"] != "clear"}
    said = {audience: _say(audience in in_audience, last.get(audience, {})) for audience in destination.audiences}
    return Explanation(destination.name, profile_id, said)


def _say(is_member: bool, last: dict[str, object]) -> str:  # noqa: FBT001 - read in one place
    match last.get("outcome"):
        case "failed" | "unclear":
            return f"failed at {last['at']}, {last['reason']}; tried again at the next activation"
        case "refused":
            return f"refused, {last['reason']}"
        case "delivered" if last["action"] == "remove":
            return f"removed at {last['at']}"
        case "delivered":
            ended = "" if is_member else ", no member any more"
            return f"sent as {last['row_key']} at {last['at']}{ended}"
        case _:
            return "a member, not activated yet" if is_member else "not a member"
