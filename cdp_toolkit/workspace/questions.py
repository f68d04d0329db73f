"""Questions about a segment: who it would find, who it found, and why."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from cdp_toolkit import past, pipeline
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.profile import Profile, find_profile
from cdp_toolkit.profiles.build import address, table_of
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.workspace.definitions import Definitions
from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.names import find


class Questions(Definitions):
    """Ask about segments without keeping anything."""

    def preview(self, pql: str | Segment, entity: str = "person", *, as_of: Moment = None, exact: bool = True) -> Any:
        """Show who a rule would find, without keeping anything.

        Parameters
        ----------
        pql
            A rule, or a segment.
        entity
            ``person`` or ``account``, for a rule.
        as_of
            What ``now`` means; the present by default.
        exact
            Whether to count all profiles; else a fixed sample of them gives an estimate with its interval.

        Returns
        -------
        Preview
            Size, sample, and what each clause removes; ``by(column)`` counts by value, ``plan`` is what the engine does.
        """
        from cdp_toolkit.segments.estimate import preview

        segment = pql if isinstance(pql, Segment) else _segment(entity, pql)
        return preview(
            segment,
            self._tables(segment.merge_policy),
            self.model,
            as_of=self._moment(as_of),
            timezone=self.settings.timezone,
            segments=list(self.segments.values()),
            among=None if exact else partial(self.sample, merge_policy=segment.merge_policy),
        )

    def explain(self, segment: str, profile: "str | int | Profile", *, as_of: Moment = None) -> Any:
        """Say why someone is in an audience, or not.

        Parameters
        ----------
        segment
            Name of the segment.
        profile
            A profile, its id, or any identity such as an e-mail address.
        as_of
            What ``now`` means; the present by default.

        Returns
        -------
        Explanation
            Every clause with true, false or unknown, and the values that decide.
        """
        from cdp_toolkit.segments.explain import explain

        known = self.segments
        chosen = find("segment", segment, known)
        found = profile if isinstance(profile, Profile) else find_profile(self.lake, chosen.entity, profile)
        return explain(
            chosen,
            found.profile_id,
            self._tables(chosen.merge_policy),
            self.model,
            as_of=self._moment(as_of),
            timezone=self.settings.timezone,
            segments=list(known.values()),
        )

    def why_changed(self, segment: str, since: Moment) -> Any:
        """Say who entered or left an audience since a moment, and which fact changed.

        Parameters
        ----------
        segment
            Name of the segment.
        since
            A moment; it is told by the last evaluation until then.

        Returns
        -------
        WhyChanged
            Counts by condition and reason, and for each profile the values before and after; ``table`` has them all.

        Raises
        ------
        NotYetError
            If the segment was not evaluated until then.
        """
        chosen, moment = find("segment", segment, self.segments), self._moment(since)
        return past.explain_changes(
            self.lake,
            chosen,
            moment,
            timezone=self.settings.timezone,
            policy=self._policy(chosen.merge_policy).name,
            segments=list(self.segments.values()),
        )

    def backtest(
        self,
        segment: str | Segment,
        times: Sequence[Moment] | None = None,
        *,
        every: str = "1w",
        periods: int = 12,
        as_of: Moment = None,
    ) -> Any:
        """Say how large an audience would have been at times past.

        Parameters
        ----------
        segment
            A segment, or the name of one.
        times
            The times; ``periods`` of them, ``every`` so often until ``as_of``, if none are given.
        every
            A distance such as ``1d``, ``2w`` or ``1mo``.
        periods
            How many times.
        as_of
            The last of them; the present by default.

        Returns
        -------
        Backtest
            Members and profiles at each time, of the tables as they were then; ``table`` for a chart.
        """
        from cdp_toolkit.segments.backtest import backtest, moments

        chosen = segment if isinstance(segment, Segment) else find("segment", segment, self.segments)
        given = [self._moment(each) for each in times or ()]
        zone, policy = self.settings.timezone, self._policy(chosen.merge_policy).name
        return backtest(
            chosen,
            given or moments(self._moment(as_of), every, periods, zone),
            partial(past.profiles_at, self.lake, policy),
            model=self.model,
            engine=self.lake.engine,
            timezone=zone,
            segments=list(self.segments.values()),
        )

    def sample(self, entity: str = "person", *, merge_policy: str | None = None) -> Any:
        """Return a fixed sample of profiles with what belongs to them, drawn once after each stitch.

        Parameters
        ----------
        entity
            ``person`` or ``account``.
        merge_policy
            Whose values are meant; those of the default policy if none is named.

        Returns
        -------
        Sample
            Its ids, and its tables by name.
        """
        from cdp_toolkit.segments.sample import kept

        now = self.lake.log.versions()
        versions = {name: each for name, each in now.items() if name.startswith("profiles/")}
        folder = self.folder / ".samples" / table_of(entity, merge_policy) / pipeline.digest(versions)
        policy = self._policy(merge_policy).name

        def _scan(name: str) -> Any:
            return self.lake.scan(address(name, policy), now.get(address(name, policy)))

        total = self.lake.rows(f"profiles/{table_of(entity, merge_policy)}")
        return kept(folder, entity, _scan, self.model, self.lake.engine, total=total)


def _segment(entity: str, pql: str) -> Segment:
    try:
        return Segment.model_validate({"name": "preview", "entity": entity, "pql": pql})
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"], where="preview") from error
