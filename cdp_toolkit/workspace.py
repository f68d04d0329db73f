"""The folder that an analyst works in: its definitions, loaded and checked, and one short method a verb."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
from pydantic import ValidationError

from cdp_toolkit import past, pipeline
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Connection, open_connection
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.planning import make_plan
from cdp_toolkit.engines import Frame, open_engine
from cdp_toolkit.entities.catalogue import load_mapping, system_name
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.identity.explain import IdentityExplanation
from cdp_toolkit.identity.judgements import Judgement, Judgements, check_judgements
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.model import Model
from cdp_toolkit.profile import Profile, find_profile
from cdp_toolkit.profiles.build import address, table_of
from cdp_toolkit.profiles.definition import DEFAULT
from cdp_toolkit.profiles.merge import merge_origins
from cdp_toolkit.profiles.policies import Policy, resolve
from cdp_toolkit.segments.computed import define
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.related import related
from cdp_toolkit.settings import Settings, by_name, read_definition, read_yaml
from cdp_toolkit.sources.source import Source, open_source

Moment = dt.datetime | str | None


class Workspace:
    """A folder with ``cdp.yaml``, ``segments/``, ``destinations/`` and the lake.

    Parameters
    ----------
    folder
        The folder; the current one by default.

    Raises
    ------
    ConfigError
        If there is no workspace, or its settings are wrong.

    Examples
    --------
    >>> Workspace("nowhere")
    Traceback (most recent call last):
    ...
    cdp_toolkit.errors.ConfigError: There is no workspace here.
    Where: nowhere
    Make one with `cdp init DIR`, or name its folder.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.folder = Path(folder)
        if not (self.folder / "cdp.yaml").is_file():
            raise ConfigError(
                "There is no workspace here.",
                where=str(folder),
                hint="Make one with `cdp init DIR`, or name its folder.",
            )
        self.settings = read_definition(Settings, self.folder / "cdp.yaml")
        model = Model.standard()
        own = self.folder / "schema.yaml"
        model = model.extended(read_yaml(own)) if own.is_file() else model
        self.computed = define(
            self.settings.computed_attributes,
            model,
            timezone=self.settings.timezone,
            where=str(self.folder / "cdp.yaml"),
        )
        self.model = self.computed.model
        self.settings.identity.check(self.model.namespaces)
        uri = self.settings.lake if "://" in self.settings.lake else self.folder / self.settings.lake
        self.lake = Lake(uri, engine=open_engine(self.settings.engine), model=self.model)

    # What is defined

    @property
    def rules(self) -> Any:
        """Starts of rules, ``rules.person`` and ``rules.account``, that know the workspace's own columns."""
        from cdp_toolkit.segments.builder import Rules

        return Rules(self.model)

    @property
    def segments(self) -> dict[str, Segment]:
        """Segments by name, as their files say now."""
        files = sorted((self.folder / "segments").glob("*.yaml"))
        return by_name(Segment.from_yaml(file.read_text("utf-8"), where=str(file)) for file in files)

    @property
    def destinations(self) -> dict[str, Destination]:
        """Destinations by name, as their files say now."""
        return by_name(
            read_definition(Destination, file) for file in sorted((self.folder / "destinations").glob("*.yaml"))
        )

    @property
    def judgements(self) -> list[Judgement]:
        """What people decided about records, as ``judgements.yaml`` says now."""
        file = self.folder / "judgements.yaml"
        found = read_definition(Judgements, file, under="judgements").judgements if file.is_file() else []
        check_judgements(found, where=str(file))
        return found

    @cached_property
    def sources(self) -> dict[str, tuple[LandedSource, Source]]:
        """Sources by name: what they are, and the way to read them."""
        return {name: self._source(name, settings) for name, settings in self.settings.sources.items()}

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """Merge policies by name, with the rule that each column follows."""
        sources = {name: self._about(name, settings) for name, settings in self.settings.sources.items()}
        known = {name: (source.system, source.instance) for name, source in sources.items()}
        resolved = resolve(self.settings.merge_policies, self.model, known, where=str(self.folder / "cdp.yaml"))
        return {policy.name: policy for policy in resolved}

    def save(self, segment: Segment) -> Path:
        """Write a segment into its file.

        Parameters
        ----------
        segment
            The segment; a file of the same name is replaced.

        Returns
        -------
        Path
            ``segments/<name>.yaml``.
        """
        file = self.folder / "segments" / f"{segment.name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(segment.to_yaml(), "utf-8")
        return file

    # The line

    def load(self, *sources: str) -> Run:
        """Read what is new in the sources.

        Parameters
        ----------
        *sources
            Names of sources; all by default.

        Returns
        -------
        Run
            Records by entity, and what was refused.
        """
        chosen = {name: _find("source", name, self.sources) for name in sources or self.sources}
        return pipeline.load(self.lake, self.sources, only=tuple(chosen))

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
        only = [_find("segment", name, known).name for name in segments] or None
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

    # What came out

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
        chosen = _find("segment", segment, self.segments)
        is_in = {"segment": [segment], "status": ["realized"]}
        if as_of is None:
            rows = self.lake.scan("segments/membership", only=is_in)
        else:
            rows = past.standing(self.lake, segment, self._moment(as_of))
        if via is not None:
            return related(rows, chosen.entity, via, self._tables(chosen.merge_policy), self.model).to_native()
        return rows.select("profile_id", "first_qualified_at", "last_qualified_at").to_native()

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

        segment = pql if isinstance(pql, Segment) else _segment(name="preview", entity=entity, pql=pql)
        return preview(
            segment,
            self._tables(segment.merge_policy),
            self.model,
            as_of=self._moment(as_of),
            timezone=self.settings.timezone,
            segments=list(self.segments.values()),
            among=None if exact else partial(self._sample, segment.merge_policy),
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
        chosen, moment = _find("segment", segment, self.segments), self._moment(since)
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

        chosen = segment if isinstance(segment, Segment) else _find("segment", segment, self.segments)
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
        chosen = _find("segment", segment, known)
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
        import polars as pl

        file = Path(file)
        table = self.lake.engine.collect(nw.from_native(self.scan(name)))
        rows = pl.DataFrame(table)
        if file.suffix == ".parquet":
            rows.write_parquet(file)
        elif file.suffix == ".csv":
            lists = [column for column, kind in rows.schema.items() if isinstance(kind, pl.List)]
            rows.with_columns(pl.col(lists).list.join(";")).write_csv(file)
        else:
            raise ConfigError(
                f"No table is written as {file.suffix or 'a file without an ending'}.",
                where=str(file),
                hint="End it in .csv or .parquet.",
            )
        return file

    def __repr__(self) -> str:
        """Return the name, the folder and how much is defined."""
        counts = f"{len(self.settings.sources)} sources, {len(self.segments)} segments, {len(self.destinations)} destinations"
        return f"Workspace {self.settings.name!r} in {self.folder}: {counts}"

    def _source(self, name: str, settings: dict[str, Any]) -> tuple[LandedSource, Source]:
        about = self._about(name, settings)
        return about, open_source(name, settings, self.folder, objects=about.mapping.files())

    def _about(self, name: str, settings: dict[str, Any]) -> LandedSource:
        system, crm, own = settings.get("system", ""), settings.get("crm", {}), settings.get("mapping")
        mapping = load_mapping(self.folder / own if own else system, self.model)
        return LandedSource(
            name,
            mapping.system if own and not system else system_name(system),
            str(settings.get("instance", name)),
            mapping,
            system_name(crm["system"]) if crm else None,
            str(crm["instance"]) if crm else None,
        )

    def _policy(self, name: str | None) -> Policy:
        return _find("merge policy", name or DEFAULT, self.policies)  # type: ignore[no-any-return]  # of the policies

    def _tables(self, merge_policy: str | None) -> Callable[[str], Frame]:
        policy = self._policy(merge_policy).name
        return lambda name: self.lake.scan(address(name, policy))

    def _sample(self, merge_policy: str | None, entity: str) -> Any:
        from cdp_toolkit.segments.sample import kept

        versions = {name: each for name, each in self.lake.log.versions().items() if name.startswith("profiles/")}
        folder = self.folder / ".samples" / table_of(entity, merge_policy) / pipeline.digest(versions)
        scan = self._tables(merge_policy)
        total = self.lake.rows(f"profiles/{table_of(entity, merge_policy)}")
        return kept(folder, entity, scan, self.model, self.lake.engine, total=total)

    def _connection(self, name: str) -> Connection:
        return open_connection(_find("destination", name, self.destinations), self.folder)

    def _plan(self, name: str, tables: Lake | OpenRun, as_of: dt.datetime) -> Plan:
        destination, connection = _find("destination", name, self.destinations), self._connection(name)
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

    def _moment(self, moment: Moment) -> dt.datetime:
        if moment is None or moment == "":
            return dt.datetime.now(dt.UTC)
        try:
            time = dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        except ValueError as error:
            raise ConfigError(
                f"{moment!r} is not a time.", where="as_of", hint="Write it as 2026-11-01 or 2026-11-01T08:00+01:00."
            ) from error
        zone = ZoneInfo(self.settings.timezone)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(dt.UTC)


def _find(kind: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return known[name]


def _segment(**settings: Any) -> Segment:
    try:
        return Segment(**settings)
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"], where="preview") from error
