"""What a user may say about matching people to accounts, under ``identity.lead_to_account`` in ``cdp.yaml``."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Signal = Literal["email_domain", "website", "name", "near_name", "country"]
Weight = Annotated[float, Field(ge=0, lt=1)]

_WEIGHTS: Mapping[Signal, float] = {
    "email_domain": 0.9, "website": 0.85, "name": 0.8, "near_name": 0.7, "country": 0.3,
}  # fmt: skip


class LeadToAccount(BaseModel):
    """How people whom no source gives an account are matched to one.

    Parameters
    ----------
    enabled
        Whether they are matched at all.
    threshold
        Least score of a match.
    signals
        How much of the doubt each sign takes away, if it agrees: e-mail domain, website, company name, a company name
        that is nearly the same, country. 0 leaves it out; what is not said keeps its default.

    Examples
    --------
    >>> LeadToAccount(signals={"near_name": 0}).weight("email_domain")
    0.9
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.75
    signals: dict[Signal, Weight] = Field(default=dict(_WEIGHTS))

    @field_validator("signals", mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:
        return {**_WEIGHTS, **given} if isinstance(given, dict) else given

    def weight(self, signal: Signal) -> float:
        """Return how much of the doubt a sign takes away.

        Parameters
        ----------
        signal
            Such as ``email_domain``.

        Returns
        -------
        float
            From 0 to below 1.
        """
        return self.signals[signal]
