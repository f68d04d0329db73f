"""Which components bring different values of a unique namespace together."""

from collections.abc import Sequence
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.growth import Grown
from cdp_toolkit.identity.links import instance


class Claims(NamedTuple):
    """Where records say the values that are to be unique: ``names`` are the unique namespaces that occur."""

    identities: Frame
    records: Frame
    rules: IdentityRules
    names: Sequence[str]

    @property
    def levels(self) -> list[int]:
        """Priorities of unique namespaces, in rising order."""
        return sorted({self.rules.namespace(name).priority for name in self.names})

    def of(self, members: Frame, level: int | None = None) -> Frame:
        """Return what members say.

        Parameters
        ----------
        members
            One row per record: ``record_key``, ``component`` and the ``part`` of it that the record is in.
        level
            Priority of the namespaces; all by default.

        Returns
        -------
        Frame
            ``component``, ``part``, ``namespace``, ``value_key`` and the ``scope`` in which the value is to be the only
            one: a source instance, a group, or the empty text for the profile. Each row once.
        """
        names = [name for name in self.names if level in {None, self.rules.namespace(name).priority}]
        own = self.identities.filter(nw.col("namespace").is_in(names)).join(members, on="record_key")
        said = [self._said(own.filter(nw.col("namespace") == name), name) for name in names]
        return nw.concat(said).unique()

    def _said(self, rows: Frame, name: str) -> Frame:
        if name.endswith("_key"):  # of record keys only those of live records themselves
            live = self.records.filter(~nw.col("is_deleted")).select("source_key")
            rows = rows.filter(nw.col("value") == nw.col("source_key")).join(live, on="source_key", how="semi")
        scopes = {"instance": instance(), "group": nw.col("value").str.replace_all(r"\|.*$", "")}
        scope = scopes.get(self.rules.namespace(name).unique, nw.lit(""))
        return rows.select("component", "part", "namespace", "value_key", scope=scope)


def find_claims(identities: Frame, records: Frame, rules: IdentityRules, engine: Engine) -> Claims:
    """Find out which unique namespaces occur.

    Parameters
    ----------
    identities
        One row per record and identity.
    records
        One row per record: ``source_key``, ``is_deleted``.
    rules
        Unique namespaces.
    engine
        Looks for one row of each.

    Returns
    -------
    Claims
        Where to read them.
    """
    unique = [name for name, rule in sorted(rules.namespaces.items()) if rule.unique != "none"]
    said = identities.select("namespace")
    names = [name for name in unique if len(engine.collect(said.filter(nw.col("namespace") == name).head(1)))]
    return Claims(identities, records, rules, names)


def broken_components(grown: Sequence[Grown], claims: Claims, engine: Engine) -> Frame:
    """Find the components in which parts with different values meet.

    Parameters
    ----------
    grown
        Components of the links down to each level of the claims, and of all.
    claims
        Values that are to be unique.
    engine
        Keeps what is found.

    Returns
    -------
    Frame
        ``component``, as all links make them; a rule may be broken in these and in no others.
    """
    found = [grown[-1].labels.select("component").head(0)]
    for number, level in enumerate(claims.levels):
        joined = nw.concat([each.joined for each in grown[number + 1 :]]).unique()
        touched = grown[-1].labels.join(joined, on="record_key", how="semi").select("component").unique()
        members = find_members(touched, grown[-1], grown[number])
        found.append(_differing(claims.of(members, level)))
    return engine.materialise(nw.concat(found).unique())


def _differing(said: Frame) -> Frame:
    counted = said.group_by("component", "namespace", "scope").agg(
        rows=nw.len(), parts=nw.col("part").n_unique(), values=nw.col("value_key").n_unique()
    )
    # No row is there twice, so where each part has each value there are as many as parts times values.
    return counted.filter(nw.col("rows") != nw.col("parts") * nw.col("values")).select("component")


def find_members(components: Frame, whole: Grown, strong: Grown) -> Frame:
    """Return the records of some components.

    Parameters
    ----------
    components
        ``component``, each once.
    whole
        The level that these are components of.
    strong
        A stronger one, whose components are parts of them.

    Returns
    -------
    Frame
        ``record_key``, ``component``, ``part``.
    """
    own = whole.labels.join(components, on="component", how="semi")
    parts = strong.labels.select("record_key", part="component")
    return own.join(parts, on="record_key", how="left").select(
        "record_key", "component", part=nw.coalesce("part", "record_key")
    )
