"""What ``policies`` in ``cdp.yaml`` says: who may be sent, which columns for what, and who is left in peace.

Labels, marketing actions and what a label forbids are those of the reference system's data governance pages (*Data usage
labels glossary*, *Data usage policies overview*).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Channel = Literal["email", "call", "sms", "postal", "none"]
Asked = Literal["opt_in", "opt_out"]

MARKETING_ACTIONS = (
    "analytics", "combine_with_identity", "cross_site_targeting", "data_science", "email_targeting",
    "export_to_third_party", "onsite_advertising", "onsite_personalization", "segment_match",
    "single_identity_personalization",
)  # fmt: skip
# Label and the actions that it forbids. C4 covers C5, C6 and C7. C12 forbids every export.
CORE: Mapping[str, tuple[str, ...]] = {
    "C1": ("export_to_third_party",),
    "C2": ("export_to_third_party",),
    "C3": ("combine_with_identity",),
    "C4": ("cross_site_targeting", "onsite_advertising", "onsite_personalization", "email_targeting"),
    "C5": ("cross_site_targeting",),
    "C6": ("onsite_advertising",),
    "C7": ("onsite_personalization",),
    "C8": ("analytics",),
    "C9": ("data_science",),
    "C10": ("single_identity_personalization",),
    "C11": ("segment_match",),
    "C12": MARKETING_ACTIONS,
}
# Values of consents in the Experience Data Model that say no, or that a yes is not confirmed yet.
_NO = ("n", "dn", "p")


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(_Definition):
    """What columns may not be used for.

    Parameters
    ----------
    name
        How a refusal calls it.
    actions
        Marketing actions, of the core or of your own.
    deny
        Labels that forbid them; a list within the list forbids where all of its labels come together in a mapping.
    """

    name: str
    actions: tuple[str, ...]
    deny: tuple[str | tuple[str, ...], ...]


class Suppression(_Definition):
    """Who is never sent.

    Parameters
    ----------
    segment
        Its members.
    file
        A CSV file of one column, whose heading is a column of the profile, such as ``email`` or ``domain``.
    destinations
        Where this holds; everywhere by default.
    """

    segment: str | None = None
    file: str | None = None
    destinations: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.segment is None) == (self.file is None):
            raise ValueError("a suppression names either a segment or a file")
        return self

    @property
    def name(self) -> str:
        """The list's name in a refusal."""
        return self.segment or self.file or ""


class Holdout(_Definition):
    """A share of people who are not sent, so that the effect of sending can be measured.

    Parameters
    ----------
    share
        Between 0 and 1. Who is held out depends on the name of the group and on the profile alone.
    destinations
        Where this holds; everywhere by default.
    """

    share: Annotated[float, Field(gt=0, lt=1)]
    destinations: tuple[str, ...] = ()


class Frequency(_Definition):
    """How often someone may be added to audiences of destinations of a channel.

    Parameters
    ----------
    channel
        Channel of the destinations' ``consent``.
    most
        How often.
    days
        Within how many days.
    """

    channel: Channel
    most: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]


class Policies(_Definition):
    """Who may be sent, which columns for what, and who is left in peace.

    Parameters
    ----------
    consent
        By channel, and under ``default`` for all others, what is asked for: ``opt_in`` (a yes), ``opt_out`` (no no),
        or the values of the consent that pass, with ``none`` for no answer.
    labels
        Labels of columns beyond those of the model, by entity and column.
    usage
        Policies of your own.
    without_core
        Labels of the core whose policy does not hold here; ``C12`` holds always.
    suppress
        Who is never sent.
    holdouts
        Groups that are not sent, by name.
    frequency
        Caps; who reaches one waits.

    Examples
    --------
    >>> Policies(consent={"email": "opt_in"}).passes("email", "p"), Policies().passes("email", None)
    (False, True)
    """

    consent: dict[Literal["default", "email", "call", "sms", "postal"], Asked | tuple[str, ...]] = {}
    labels: dict[str, dict[str, tuple[str, ...]]] = {}
    usage: tuple[Usage, ...] = ()
    without_core: tuple[Literal["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11"], ...] = ()
    suppress: tuple[Suppression, ...] = ()
    holdouts: dict[str, Holdout] = {}
    frequency: tuple[Frequency, ...] = ()

    @property
    def actions(self) -> tuple[str, ...]:
        """Marketing actions that a destination may name."""
        return tuple(dict.fromkeys((*MARKETING_ACTIONS, *(action for each in self.usage for action in each.actions))))

    @property
    def usages(self) -> tuple[Usage, ...]:
        """All policies on labels: those of the core that hold, then your own."""
        core = (
            Usage(name=f"the core policy on {label}", actions=actions, deny=(label,))
            for label, actions in CORE.items()
            if label not in self.without_core
        )
        return (*core, *self.usage)

    def answers(self, channel: str) -> tuple[bool, tuple[str, ...]]:
        """Return which answers of a consent decide.

        Parameters
        ----------
        channel
            Channel of marketing.

        Returns
        -------
        passes, values
            Whether these values pass, or are refused and all others pass. ``none`` stands for no answer.
        """
        asked = self.consent.get(channel, self.consent.get("default", "opt_out"))  # type: ignore[call-overload]
        if asked == "opt_out":
            return False, _NO
        return True, ("y",) if asked == "opt_in" else asked

    def passes(self, channel: str, value: str | None) -> bool:
        """Tell whether an answer lets somebody be sent.

        Parameters
        ----------
        channel
            Channel of marketing.
        value
            Value of the consent; ``None`` for no answer.

        Returns
        -------
        bool
            Whether it does.
        """
        passes, values = self.answers(channel)
        return ((value or "none") in values) == passes
