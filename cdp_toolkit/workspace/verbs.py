"""The verbs of the line, said of a folder."""

from cdp_toolkit import pipeline
from cdp_toolkit.lake import Run
from cdp_toolkit.sources.progress import bars
from cdp_toolkit.workspace.definitions import Definitions
from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.names import find
from cdp_toolkit.workspace.waiting import waiting


class Verbs(Definitions):
    """Load, stitch and evaluate."""

    def load(self, *sources: str) -> Run:
        """Read what is new in the sources; a load that takes longer shows how far it has come.

        Parameters
        ----------
        *sources
            Names of sources; all by default.

        Returns
        -------
        Run
            Records by entity, and what was refused.
        """
        chosen = {name: find("source", name, self.sources) for name in sources or self.sources}
        with bars() as progress:
            return pipeline.load(self.lake, self.sources, only=tuple(chosen), progress=progress)

    def stitch(self, *, as_of: Moment = None, pace: pipeline.Pace = "whole") -> Run:
        """Find out which records are one, and make their profiles.

        Parameters
        ----------
        as_of
            What ``now`` means to computed attributes; the present by default.
        pace
            ``whole`` does all there is to do; a ``round`` or a ``brief`` one leaves some of it to the next whole one.

        Returns
        -------
        Run
            People, accounts, opportunities, events and refused links.
        """
        policies = list(self.policies.values())
        with waiting("Finding out who is who"):
            return pipeline.stitch(
                self.lake,
                self.settings.identity,
                as_of=self._moment(as_of),
                policies=policies,
                judgements=self.judgements,
                computed=self.computed,
                pace=pace,
            )

    def evaluate(self, *segments: str, as_of: Moment = None) -> Run:
        """Find out who is in which audience.

        Parameters
        ----------
        *segments
            Names of segments; all active ones by default.
        as_of
            What ``now`` means: a time, or a text such as ``2026-11-01``; the present by default.

        Returns
        -------
        Run
            Size of each audience, and who entered and left.
        """
        known = self.segments
        only = [find("segment", name, known).name for name in segments] or None
        with waiting("Finding out who is in which audience"):
            return pipeline.evaluate(
                self.lake,
                list(known.values()),
                as_of=self._moment(as_of),
                timezone=self.settings.timezone,
                only=only,
                policies=list(self.policies),
            )
