"""What the line has made: tables, members, people and accounts."""

from pathlib import Path
from typing import Any

import narwhals as nw

from cdp_toolkit import past
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.identity.explain import IdentityExplanation
from cdp_toolkit.profile import Profile, find_profile
from cdp_toolkit.profiles.merge import merge_origins
from cdp_toolkit.segments.related import related
from cdp_toolkit.workspace.definitions import Definitions
from cdp_toolkit.workspace.files import write_table
from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.names import find


class Results(Definitions):
    """Read what came out."""

    def scan(self, name: str, *, merge_policy: str | None = None) -> Any:
        """Return a table as the engine's own lazy frame.

        Parameters
        ----------
        name
            An entity such as ``person`` or ``event``, or any table of the lake such as ``segments/history``.
        merge_policy
            Whose values profiles show; those of the default policy if none is named.

        Returns
        -------
        polars.LazyFrame
            Keyed by ``profile_id``; a relation of DuckDB if that is the engine.
        """
        return (self.lake.scan(name) if "/" in name or name == "runs" else self._tables(merge_policy)(name)).to_native()

    def origins(self, entity: str = "person", *, merge_policy: str | None = None) -> Any:
        """Return where every value of every profile comes from.

        Parameters
        ----------
        entity
            An entity whose records are stitched, such as ``person`` or ``account``.
        merge_policy
            Whose values are meant; those of the default policy if none is named.

        Returns
        -------
        polars.LazyFrame
            One row a profile: ``profile_id``, and for each column of the entity the source key of the record that its
            value is taken from.
        """
        records, ids = self.lake.scan(f"entities/{entity}"), self.lake.scan(f"identity/{entity}_ids")
        known = self.model.entity(entity)
        return merge_origins(records, ids, known, self.lake.engine, self._policy(merge_policy)).to_native()

    def members(self, segment: str, *, as_of: Moment = None, via: str | None = None) -> Any:
        """Return who is in an audience, or was.

        Parameters
        ----------
        segment
            Its name.
        as_of
            A moment in the past: who was in after the last evaluation until then; the present by default.
        via
            A relation such as ``people`` or ``accounts``: those behind it instead of the members themselves.

        Returns
        -------
        polars.LazyFrame
            ``profile_id`` with the times of its first and latest entry; with ``via`` the ``profile_id`` alone.
        """
        chosen = find("segment", segment, self.segments)
        is_in = {"segment": [segment], "status": ["realized"]}
        if as_of is None:
            rows = self.lake.scan("segments/membership", only=is_in)
        else:
            rows = past.standing(self.lake, segment, self._moment(as_of))
        if via is not None:
            return related(rows, chosen.entity, via, self._tables(chosen.merge_policy), self.model).to_native()
        return rows.select("profile_id", "first_qualified_at", "last_qualified_at").to_native()

    def profile(self, identity: str | int, *, merge_policy: str | None = None) -> Profile:
        """Find a person by any identity.

        Parameters
        ----------
        identity
            A profile id, e-mail address, ECID or source key such as ``4711@instance.System``.
        merge_policy
            Whose values are shown; those of the default policy if none is named.

        Returns
        -------
        Profile
            Values, where each came from, and the records behind them.
        """
        return find_profile(self.lake, "person", identity, self._policy(merge_policy))

    def account(self, identity: str | int, *, merge_policy: str | None = None) -> Profile:
        """Find an account by any identity.

        Parameters
        ----------
        identity
            A profile id, source key, or the exact name of the account.
        merge_policy
            Whose values are shown; those of the default policy if none is named.

        Returns
        -------
        Profile
            Values, where each came from, and the records behind them.
        """
        return find_profile(self.lake, "account", identity, self._policy(merge_policy))

    def explain_identity(self, identity: str | int, entity: str = "person") -> IdentityExplanation:
        """Say why the records of a person or account are one.

        Parameters
        ----------
        identity
            Anything that ``profile`` or ``account`` finds it by.
        entity
            ``person`` or ``account``.

        Returns
        -------
        IdentityExplanation
            Records, links and refused links; ``path(one, other)`` is the chain of links between two records.
        """
        return find_profile(self.lake, entity, identity).explain()

    def proposals(self, entity: str = "person") -> Any:
        """Return profiles that are probably one, for a person to judge.

        Parameters
        ----------
        entity
            ``person`` or ``account``.

        Returns
        -------
        polars.LazyFrame
            One row per pair: a record of each, the probability, the evidence, and whether they were ``merged`` or are
            for ``review``. Their judgement goes into ``judgements.yaml``.

        Raises
        ------
        ConfigError
            If ``cdp.yaml`` asks for no proposals.
        """
        if entity not in self.settings.identity.probable:
            raise ConfigError(
                f"No proposals are made for {entity!r}.",
                where="cdp.yaml, identity.probable",
                hint=f"Write `probable: {{{entity}: {{}}}}` under `identity`, and stitch again.",
            )
        rows = self.lake.scan("identity/proposals").filter(nw.col("entity") == entity)
        return rows.drop("entity").sort("probability", descending=True).to_native()

    def export(self, name: str, file: str | Path) -> Path:
        """Write a table into a file.

        Parameters
        ----------
        name
            An entity or any table of the lake.
        file
            Where to; ``.csv`` or ``.parquet``.

        Returns
        -------
        Path
            The file.
        """
        return write_table(self.lake.engine.collect(nw.from_native(self.scan(name))), Path(file))
