"""What a user may say about profiles, under ``merge_policies`` in ``cdp.yaml``."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

DEFAULT = "default"
"""Name of the policy whose tables carry no policy in their name."""


class ColumnRule(BaseModel):
    """Which record's value a column shows: one of three ways.

    Parameters
    ----------
    latest
        The value of the record that was changed last.
    sources
        The value of the first of these sources, instances or systems that has one; of any other record only where none
        of them has. Among the records of one, the latest.
    strictest
        For consents: the answer that permits least, of whichever record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latest: Literal[True] | None = None
    sources: tuple[str, ...] | None = None
    strictest: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if sum(way is not None for way in (self.latest, self.sources, self.strictest)) != 1:
            raise ValueError("a column has one rule: `latest: true`, `sources: […]` or `strictest: true`")
        if self.sources == ():
            raise ValueError("name at least one source")
        return self


class MergePolicy(BaseModel):
    """Which record's value a profile shows. A record without a value never counts.

    Parameters
    ----------
    order
        ``latest``: the value of the record that was changed last. ``sources``: that of the first source that has one.
    sources
        Sources of ``cdp.yaml``, instances or systems, the most trusted first; all others come after them.
    columns
        Columns that follow a rule of their own, by name, by entity and name (``account.phone``) or by pattern
        (``mobile_*``). A name outweighs a pattern, and a later pattern an earlier one. Consents follow the strictest
        answer unless a rule is given for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Literal["latest", "sources"] = "latest"
    sources: tuple[str, ...] = ()
    columns: dict[str, ColumnRule] = {}

    @model_validator(mode="after")
    def _names_sources_where_they_decide(self) -> Self:
        if (self.order == "sources") != bool(self.sources):
            raise ValueError("`order: sources` and a list of `sources` go together")
        return self
