"""What a user may say about profiles, under ``merge_policies`` in ``cdp.yaml``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class MergePolicy(BaseModel):
    """Which record's value a profile shows.

    Parameters
    ----------
    order
        ``latest``: the value of the record that was changed last; a record without a value does not count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Literal["latest"] = "latest"
