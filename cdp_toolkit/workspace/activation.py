"""Destinations, asked and told from a folder."""

from typing import Any

import pyarrow as pa
from pyarrow import csv

from cdp_toolkit import pipeline
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.destinations.ledger import dead_letters, of_destination
from cdp_toolkit.destinations.lift import Lift, lift
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.standing import Standings
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.lake import Run
from cdp_toolkit.workspace.definitions import Definitions
from cdp_toolkit.workspace.moments import Moment
from cdp_toolkit.workspace.names import find
from cdp_toolkit.workspace.waiting import waiting


class Activation(Definitions):
    """Plan and activate."""

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
        return pipeline.plan(self.lake, self._target(destination), self.lake.engine, as_of=self._moment(as_of))

    def activate(
        self,
        destination: str | Plan | None = None,
        *,
        dry_run: bool = False,
        now: bool = False,
        as_of: Moment = None,
    ) -> Run | list[Plan]:
        """Tell destinations what changed; if none is named, those that are due.

        Parameters
        ----------
        destination
            Its name, or a plan to carry out; those that are due by default. Of a plan only those rows are sent that
            would still be sent now.
        dry_run
            Whether to show the plans only, of all destinations if none is named.
        now
            Whether all destinations are told, due or not.
        as_of
            Time of the plan; the present by default.

        Returns
        -------
        Run or list of Plan
            What was sent; the plans if it is a dry run.
        """
        at = self._moment(as_of)
        given = destination if isinstance(destination, Plan) else None
        name = given.destination if given else destination
        targets = [self._target(str(name))] if name else self._targets
        if dry_run:
            return [pipeline.plan(self.lake, each, self.lake.engine, as_of=at) for each in targets]
        if not name and not now:
            targets = pipeline.due(self.lake, targets, now=at, timezone=self.settings.timezone)
        with waiting("Telling destinations what changed"):
            return pipeline.activate(self.lake, targets, at=at, given=given)

    def redrive(self, destination: str, *, as_of: Moment = None) -> Run:
        """Send a destination again what it refused, such as after its settings were put right.

        Parameters
        ----------
        destination
            Its name.
        as_of
            Time of the plan; the present by default.

        Returns
        -------
        Run
            What was sent, with what else had changed.
        """
        return pipeline.activate(self.lake, [self._target(destination)], at=self._moment(as_of), redrive=True)

    def dead_letters(self, destination: str) -> Any:
        """Return the rows that a destination refused and is not sent again unless their values change.

        Parameters
        ----------
        destination
            Its name.

        Returns
        -------
        polars.LazyFrame
            Columns of ``activation/ledger``, with the destination's ``reason``.
        """
        found = find("destination", destination, self.destinations)
        return dead_letters(of_destination(*pipeline.told(self.lake, self.lake.engine), found.name)).to_native()

    def lift(self, group: str, segment: str) -> Lift:
        """Compare people who were sent with those whom a group held out.

        Parameters
        ----------
        group
            Name of the holdout group.
        segment
            Its members did what was hoped for, such as buying; all who were ever in it count.

        Returns
        -------
        Lift
            The share of each, and between which bounds the difference lies.
        """
        find("holdout group", group, self.settings.policies.holdouts)
        reached = self.lake.scan(
            "segments/membership", only={"segment": [find("segment", segment, self.segments).name]}
        )
        return lift(group, pipeline.told(self.lake, self.lake.engine)[1], reached, self.lake.engine)

    def activations(self, *, as_of: Moment = None) -> Standings:
        """Show where each destination stands.

        Parameters
        ----------
        as_of
            The moment at which a destination is due or not; the present by default.

        Returns
        -------
        Standings
            A ``Standing`` a destination: when it was last told and what became of it, what it has, the share of its
            members that it took, what it was not told yet and since when, and whether it is due.
        """
        return pipeline.standings(self.lake, self._targets, now=self._moment(as_of), timezone=self.settings.timezone)

    @property
    def _targets(self) -> list[pipeline.Target]:
        return [self._target(name) for name in self.destinations]

    def _target(self, name: str) -> pipeline.Target:
        destinations, policies = self.destinations, self.settings.policies
        destination = find("destination", name, destinations)
        segments = {segment.name: segment.entity for segment in self.segments.values()}
        entity = self.model.entity(destination.entity(segments))
        for suppression in policies.suppress:
            if suppression.segment:
                find("segment", suppression.segment, segments)
        return pipeline.Target(
            destination,
            open_connection(destination, self.folder, beside=destinations.values()),
            entity,
            policies=policies,
            listed={each.name: self._listed(each.file) for each in policies.suppress if each.file},
            channels={each.name: each.consent for each in destinations.values()},
        )

    def _listed(self, file: str) -> pa.Table:
        path = self.folder / file
        if not path.is_file():
            raise ConfigError(
                f"There is no suppression list {file}.", where=f"{self.folder / 'cdp.yaml'}, policies.suppress",
                hint="Put the file there: nobody is sent while it is missing.",
            )  # fmt: skip
        values = csv.read_csv(path).select([0])
        known = {column for entity in ("person", "account") for column in self.model.entity(entity).fields}
        column = values.column_names[0]
        if column not in known:
            raise UnknownNameError("column", column, known, where=f"{path}, line 1")
        return values.cast(pa.schema([(column, pa.string())]))
