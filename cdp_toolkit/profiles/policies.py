"""Merge policies as they are carried out: for each column of each entity the one rule that decides it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.model import Entity, Model
from cdp_toolkit.model import Field as ModelField
from cdp_toolkit.profiles.definition import DEFAULT, ColumnRule, MergePolicy

_CONSENT = "consents."


@dataclass(frozen=True)
class Origin:
    """Whose records are meant: those of a source, of an instance, or of every instance of a system.

    Parameters
    ----------
    name
        As the policy says it.
    system
        Value of ``source_type``, if it matters.
    instance
        Value of ``source_instance``, if it matters.
    """

    name: str
    system: str | None = None
    instance: str | None = None


@dataclass(frozen=True)
class Rule:
    """How the value of a column is chosen.

    Parameters
    ----------
    origins
        Whose values come first, the most trusted first.
    strictest
        Whether the answer that permits least wins.
    consent
        For the reason and the time of a consent: the column of the answer. Only records with that answer count.
    """

    origins: tuple[Origin, ...] = ()
    strictest: bool = False
    consent: str | None = None

    def __str__(self) -> str:
        """Return the rule in words."""
        first = f"{', then '.join(origin.name for origin in self.origins)} first" if self.origins else "latest"
        if self.consent:
            return f"with {self.consent}"
        return "strictest" if self.strictest else first


@dataclass(frozen=True)
class Policy:
    """A merge policy with a rule for each column.

    Parameters
    ----------
    name
        Name in ``cdp.yaml``.
    rules
        For each entity its columns that are not simply the latest value.
    """

    name: str = DEFAULT
    rules: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)

    def rule(self, entity: str, column: str) -> Rule:
        """Return the rule of a column.

        Parameters
        ----------
        entity
            Name of the entity.
        column
            Name of the column.

        Returns
        -------
        Rule
            The latest value, where nothing else is said.
        """
        return self.rules.get(entity, {}).get(column, Rule())

    def table(self, entity: str) -> str:
        """Return the name of the table that has an entity's profiles under this policy.

        Parameters
        ----------
        entity
            Name of the entity, or of another table that depends on the policy.

        Returns
        -------
        str
            The entity, with the policy's name behind an ``@`` unless it is the default one.

        Examples
        --------
        >>> Policy().table("person"), Policy("crm_first").table("person")
        ('person', 'person@crm_first')
        """
        return entity if self.name == DEFAULT else f"{entity}@{self.name}"


def resolve(
    policies: Mapping[str, MergePolicy],
    model: Model,
    sources: Mapping[str, tuple[str, str]],
    *,
    where: str = "cdp.yaml",
) -> list[Policy]:
    """Return merge policies with a rule for each column.

    Parameters
    ----------
    policies
        Policies by name; without one named ``default``, that is the latest value.
    model
        Entities and their columns.
    sources
        System and instance of each source of the workspace.
    where
        File that the policies come from, for the error.

    Returns
    -------
    list of Policy
        The default policy first.

    Raises
    ------
    ConfigError
        If a rule fits no column, or a rule of consents is given for a column that is none.
    UnknownNameError
        If a policy names a source or a column that does not exist; with the nearest names.
    """
    every = {DEFAULT: MergePolicy()} | dict(policies)
    return [
        _resolved(name, policy, model, sources, f"{where}, merge_policies.{name}") for name, policy in every.items()
    ]


def _resolved(
    name: str, policy: MergePolicy, model: Model, sources: Mapping[str, tuple[str, str]], where: str
) -> Policy:
    base = tuple(_origin(each, sources, where) for each in policy.sources)
    given = {
        pattern: (rule, tuple(_origin(each, sources, f"{where}.columns.{pattern}") for each in rule.sources or ()))
        for pattern, rule in policy.columns.items()
    }
    unmet = set(given)
    rules: dict[str, dict[str, Rule]] = {}
    for entity in model.recorded.values():
        rules[entity.name] = {}
        for column in entity.recorded.values():
            fitting = _fitting(entity, column, given)
            unmet -= set(fitting)
            rule, origins = given[fitting[-1]] if fitting else (None, base)
            place = f"{where}.columns.{fitting[-1]}" if fitting else where
            rules[entity.name][column.name] = _rule(entity, column, rule, origins or base, place)
    for pattern in unmet:
        raise UnknownNameError("column", pattern, _columns(model), where=f"{where}.columns")
    return Policy(name, {entity: _with_companions(model.entity(entity), each) for entity, each in rules.items()})


def _fitting(entity: Entity, column: ModelField, patterns: Iterable[str]) -> list[str]:
    """Return the patterns that mean a column, the one that decides last."""
    names = (column.name, f"{entity.name}.{column.name}")
    found = [pattern for pattern in patterns if any(fnmatchcase(name, pattern) for name in names)]
    if column.path.startswith(_CONSENT):  # `*` is not meant to weaken a consent: it has to be named
        found = [pattern for pattern in found if pattern.rpartition(".")[2].startswith(column.name[:7])]
    return sorted(found, key=lambda pattern: (pattern in names, "." in pattern and pattern in names))


def _rule(entity: Entity, column: ModelField, rule: ColumnRule | None, origins: tuple[Origin, ...], where: str) -> Rule:
    is_consent = column.path.startswith(_CONSENT)
    if rule is None:
        return Rule(origins, strictest=is_consent)
    if rule.strictest and not is_consent:
        raise ConfigError(
            f"{column.name!r} of {entity.name} is no consent, so that no value of it is the strictest.",
            where=where,
            hint="Give it `sources: […]` or `latest: true`.",
        )
    return Rule(() if rule.latest else origins, strictest=bool(rule.strictest))


def _with_companions(entity: Entity, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Let the reason and the time of a strict consent follow its answer."""
    answers = {
        column.path.rpartition(".")[0]: name
        for name, column in entity.recorded.items()
        if column.path.startswith(_CONSENT) and column.path.endswith(".val")
    }
    found = {}
    for name, rule in rules.items():
        answer = answers.get(entity.recorded[name].path.rpartition(".")[0])
        if not rule.strictest or answer == name:
            found[name] = rule
        elif answer is not None and rules[answer].strictest:
            found[name] = Rule(rule.origins, consent=answer)
        else:
            found[name] = Rule(rules[answer].origins if answer else rule.origins)
    return found


def _origin(name: str, sources: Mapping[str, tuple[str, str]], where: str) -> Origin:
    if name in sources:
        system, instance = sources[name]
        return Origin(name, system, instance)
    for system, instance in sources.values():
        if name == instance:
            return Origin(name, instance=instance)
        if name.casefold() == system.casefold():
            return Origin(name, system=system)
    known: Sequence[str] = [*chain.from_iterable(sources.values()), *sources]
    raise UnknownNameError("source, instance or system", name, known, where=where)


def _columns(model: Model) -> Iterator[str]:
    for entity in model.recorded.values():
        for column in entity.recorded:
            yield column
            yield f"{entity.name}.{column}"
