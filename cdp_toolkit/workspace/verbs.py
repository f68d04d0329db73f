"""The verbs of the line, said of a folder."""

import datetime as dt

from cdp_toolkit import pipeline
from cdp_toolkit.destinations.destination import Connection, open_connection
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.planning import make_plan
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.sources.progress import bars
from cdp_toolkit.workspace.definitions import Definitions
from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.names import find


class Verbs(Definitions):
    """Load, stitch, evaluate, plan and activate."""

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

    def stitch(self, *, as_of: Moment = None) -> Run:
        """Find out which records are one, and make their profiles.

        Parameters
        ----------
        as_of
            What ``now`` means to computed attributes; the present by default.

        Returns
        -------
        Run
            People, accounts, opportunities, events and refused links.
        """
        policies = list(self.policies.values())
        return pipeline.stitch(
            self.lake,
            self.settings.identity,
            as_of=self._moment(as_of),
            policies=policies,
            judgements=self.judgements,
            computed=self.computed,
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
        return pipeline.evaluate(
            self.lake,
            list(known.values()),
            as_of=self._moment(as_of),
            timezone=self.settings.timezone,
            only=only,
            policies=list(self.policies),
        )

    def plan(self, destination: str, *, as_of: Moment = None) -> Plan:
        """Show what an activation would do.

        Parameters
        ----------
        destination
            Its name.
        as_of
            Time of the plan, which names files; the present by default.

        Returns
        -------
        Plan
            Who would be added, updated, removed, and who is refused and why.
        """
        return self._plan(destination, self.lake, self._moment(as_of))

    def activate(
        self, destination: str | Plan | None = None, *, dry_run: bool = False, as_of: Moment = None
    ) -> Run | list[Plan]:
        """Tell destinations what changed.

        Parameters
        ----------
        destination
            Its name, or a plan to carry out as it is; all destinations by default.
        dry_run
            Whether to show the plans only.
        as_of
            Time of the plan; the present by default.

        Returns
        -------
        Run or list of Plan
            What was sent; the plans if it is a dry run.
        """
        at = self._moment(as_of)
        name = destination.destination if isinstance(destination, Plan) else destination
        names = [name] if name else list(self.destinations)
        if dry_run:
            return [self._plan(each, self.lake, at) for each in names]
        connections = {each: self._connection(each) for each in names}

        given = destination if isinstance(destination, Plan) else None
        return pipeline.activate(self.lake, connections, lambda each, run: given or self._plan(each, run, at), at=at)

    def _connection(self, name: str) -> Connection:
        return open_connection(find("destination", name, self.destinations), self.folder)

    def _plan(self, name: str, tables: Lake | OpenRun, as_of: dt.datetime) -> Plan:
        destination, connection = find("destination", name, self.destinations), self._connection(name)
        entity = destination.entity({segment.name: segment.entity for segment in self.segments.values()})
        return make_plan(
            destination,
            connection,
            tables.scan("segments/membership", only={"segment": destination.audiences, "status": ["realized"]}),
            tables.scan(f"profiles/{entity}"),
            tables.scan("activation/ledger") if tables.exists("activation/ledger") else None,
            engine=self.lake.engine,
            as_of=as_of,
            entity=self.model.entity(entity),
            records=tables.scan(f"entities/{entity}"),
        )
