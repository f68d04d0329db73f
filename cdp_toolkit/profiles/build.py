"""All tables of ``profiles/``, in the order in which they need each other."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model
from cdp_toolkit.profiles.components import person_components, person_identities
from cdp_toolkit.profiles.hierarchy import add_places, list_cycles, list_descendants
from cdp_toolkit.profiles.merge import merge_records, own_records
from cdp_toolkit.profiles.policies import Policy
from cdp_toolkit.profiles.related import related_accounts
from cdp_toolkit.profiles.relations import (
    Keys,
    add_matches,
    add_references,
    person_accounts,
    rekey_events,
    rekey_rows,
)
from cdp_toolkit.profiles.rollups import account_pipelines, account_roles, roll_up

# Entities whose records are stitched; the rows of all others tie these to each other.
PROFILES = ("person", "account", "opportunity", "campaign", "marketing_list")
_PLAIN = tuple(name for name in PROFILES if name != "account")
_TIES = ("account_person", "opportunity_person", "campaign_member", "marketing_list_member")

_ROLES_FROM = ("profiles/account_person", "profiles/opportunity_person", "profiles/opportunity")

Scan = Callable[[str], Frame]
Make = Callable[[Scan], tuple[Frame, ...]]


class Step(NamedTuple):
    """Names of tables below ``profiles/``, and what makes their rows of the tables that it scans."""

    names: tuple[str, ...]
    make: Make


# Tables that each merge policy has of its own; all others are the same under every policy.
BY_POLICY = (*PROFILES, "account_pipeline")


def build_profiles(model: Model, policies: Sequence[Policy], engine: Engine) -> Iterator[Step]:
    """Return how the tables of ``profiles/`` are made, one after the other.

    Parameters
    ----------
    model
        Entities and their columns.
    policies
        Merge policies, the default one first.
    engine
        Finds latest values and hashes keys.

    Yields
    ------
    Step
        Steps read tables of ``entities/`` and ``identity/``, and those of ``profiles/`` that earlier steps have made. That of
        events comes first.
    """
    default, *further = policies
    yield Step(("event",), lambda scan: (events_of(scan, model, engine),))
    for name in _PLAIN:
        yield Step((name,), _merging(name, default, model, engine))
    for name in _TIES:
        yield Step((name,), _tying(name, model, engine))
    yield Step(("person_account",), lambda scan: (_person_accounts(scan, engine),))
    yield Step(("person_component",), lambda scan: (_components(scan, model, engine),))
    yield Step(("person_identity",), lambda scan: (person_identities(scan("identity/identities")),))
    yield from _accounts(default, model, engine)
    yield Step(("account_role",), lambda scan: (account_roles(*map(scan, _ROLES_FROM)),))
    yield Step(("account_descendant",), lambda scan: (list_descendants(scan("profiles/account"), engine),))
    yield Step(("account_cycle",), lambda scan: (list_cycles(scan("profiles/account"), engine),))
    yield Step(("account_account", "large_account_group"), lambda scan: _related(scan, engine))
    for policy in further:
        for name in _PLAIN:
            yield Step((policy.table(name),), _merging(name, policy, model, engine))
        yield from _accounts(policy, model, engine)


def _accounts(policy: Policy, model: Model, engine: Engine) -> Iterator[Step]:
    """Make the accounts of a policy, which add up its opportunities."""
    merging, pipelines = _merging("account", policy, model, engine), policy.table("account_pipeline")
    opportunities = f"profiles/{policy.table('opportunity')}"
    yield Step((pipelines,), lambda scan: (account_pipelines(scan(opportunities)),))

    def rolled_up(scan: Scan) -> tuple[Frame]:
        (accounts,) = merging(scan)
        ties, events = scan("profiles/person_account"), scan("profiles/event")
        return (roll_up(accounts, pipelines=scan(f"profiles/{pipelines}"), person_accounts=ties, events=events),)

    yield Step((policy.table("account"),), rolled_up)


def _merging(name: str, policy: Policy, model: Model, engine: Engine) -> Make:
    """Merge the records of an entity under a policy."""
    entity = model.entity(name)

    def merged(scan: Scan) -> tuple[Frame]:
        ids = scan(f"identity/{name}_ids")
        of_people = scan("entities/identities").filter(nw.col("entity") == "person") if name == "person" else None
        profiles = merge_records(scan(f"entities/{name}"), ids, entity, engine, policy, identities=of_people)
        referring = add_references(profiles, entity, _keys(scan, engine))
        return (add_places(engine.materialise(referring), engine) if name == "account" else referring,)

    return merged


def _tying(name: str, model: Model, engine: Engine) -> Make:
    entity = model.entity(name)

    def tied(scan: Scan) -> tuple[Frame]:
        rows = rekey_rows(scan(f"entities/{name}"), entity, _keys(scan, engine))
        return (add_matches(rows, scan("identity/account_matches"), entity) if name == "account_person" else rows,)

    return tied


def events_of(scan: Scan, model: Model, engine: Engine) -> Frame:
    """Give events to people.

    Parameters
    ----------
    scan
        Gives ``entities/event``, or some of it, and ``identity/identities``.
    model
        Entities and their columns.
    engine
        Hashes keys.

    Returns
    -------
    Frame
        Rows of ``profiles/event``.
    """
    return rekey_events(scan("entities/event"), model.entity("event"), _keys(scan, engine))


def _person_accounts(scan: Scan, engine: Engine) -> Frame:
    ids, ties = scan("identity/person_ids"), scan("profiles/account_person")
    people = own_records(scan("entities/person").select("source_key", "account_key"), ids, engine)
    return person_accounts(people, ties, _keys(scan, engine))


def _components(scan: Scan, model: Model, engine: Engine) -> Frame:
    entity = model.entity("person_component")
    records = own_records(scan("entities/person"), scan("identity/person_ids"), engine)
    return person_components(records, entity, _keys(scan, engine))


def _related(scan: Scan, engine: Engine) -> tuple[Frame, Frame]:
    accounts, records, ids = scan("profiles/account"), scan("entities/account"), scan("identity/account_ids")
    related = related_accounts(accounts, records, ids, _keys(scan, engine), engine)
    return related.pairs, related.left_out


def _keys(scan: Scan, engine: Engine) -> Keys:
    return Keys(scan("identity/identities"), engine)


def table_of(name: str, policy: str | None) -> str:
    """Return the name of the table that has the rows of another one under a merge policy.

    Parameters
    ----------
    name
        Name below ``profiles/``.
    policy
        Name of the policy; the default one if none is given.

    Returns
    -------
    str
        The same name where the policy does not matter.

    Examples
    --------
    >>> table_of("person", "crm_first"), table_of("event", "crm_first"), table_of("person", None)
    ('person@crm_first', 'event', 'person')
    """
    return Policy(policy).table(name) if policy and name in BY_POLICY else name


def address(name: str, policy: str | None = None) -> str:
    """Return where in the lake a table of profiles is.

    Parameters
    ----------
    name
        An entity or relation, such as ``person``; a name with a folder stays as it is.
    policy
        Name of the policy; the default one if none is given.

    Returns
    -------
    str
        Such as ``profiles/person``.
    """
    return name if "/" in name else f"profiles/{table_of(name, policy)}"
