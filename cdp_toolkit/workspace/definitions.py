"""What a workspace defines, read from its folder and checked."""

import datetime as dt
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.engines import Frame, open_engine
from cdp_toolkit.entities.catalogue import load_mapping, system_name
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.identity.judgements import Judgement, Judgements, check_judgements
from cdp_toolkit.lake import Lake
from cdp_toolkit.model import Model
from cdp_toolkit.profiles.build import address
from cdp_toolkit.profiles.definition import DEFAULT
from cdp_toolkit.profiles.policies import Policy, resolve
from cdp_toolkit.secrets import reveal_all
from cdp_toolkit.segments.computed import define
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.settings import Settings, by_name, read_definition, read_yaml
from cdp_toolkit.sources.source import Source, open_source
from cdp_toolkit.workspace.moments import Moment, moment_of
from cdp_toolkit.workspace.names import find


class Definitions:
    """The definitions of a folder.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    ConfigError
        If there is no workspace, or its settings are wrong.
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
        told = {name: str(value) for name, value in self.settings.storage.items()}
        storage = reveal_all(told, where=f"{self.folder / 'cdp.yaml'}, storage")
        self.lake = Lake(uri, engine=open_engine(self.settings.engine), model=self.model, options=storage)

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

    def _source(self, name: str, settings: dict[str, Any]) -> tuple[LandedSource, Source]:
        about = self._about(name, settings)
        return about, open_source(name, settings, self.folder, objects=about.mapping.files())

    def _about(self, name: str, settings: dict[str, Any]) -> LandedSource:
        crm, own = settings.get("crm", {}), settings.get("mapping")
        # A connector of a vendor is named like its system; files can come from any.
        system = settings.get("system") or ("" if own else str(settings.get("type", "")))
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
        return find("merge policy", name or DEFAULT, self.policies)

    def _tables(self, merge_policy: str | None) -> Callable[[str], Frame]:
        policy = self._policy(merge_policy).name
        return lambda name: self.lake.scan(address(name, policy))

    def _moment(self, moment: Moment) -> dt.datetime:
        return moment_of(moment, self.settings.timezone)
