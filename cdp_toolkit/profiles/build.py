"""All tables of ``profiles/``, in the order in which they need each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model
from cdp_toolkit.profiles.components import person_components, person_identities
from cdp_toolkit.profiles.hierarchy import add_places, list_cycles, list_descendants
from cdp_toolkit.profiles.merge import add_identities, merge_records
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

Tables = Iterator[tuple[str, Frame]]

# Tables that each merge policy has of its own; all others are the same under every policy.
BY_POLICY = (*PROFILES, "account_pipeline")


def build_profiles(scan: Callable[[str], Frame], model: Model, policies: Sequence[Policy], engine: Engine) -> Tables:
    """Make the tables of ``profiles/``, one after the other.

    Parameters
    ----------
    scan
        Returns a table of ``entities/`` or ``identity/``, or one of ``profiles/`` that was made before.
    model
        Entities and their columns.
    policies
        Merge policies, the default one first.
    engine
        Finds latest values and hashes keys.

    Yields
    ------
    str, Frame
        Name below ``profiles/`` and rows. The caller writes each table before it asks for the next, which reads it.
    """
    keys = Keys(scan("identity/identities"), engine)
    merged = _Merged(scan, model, keys, engine)
    default, *further = policies
    for name in _PLAIN:
        yield name, merged(name, default)
    for name in _TIES:
        rows = rekey_rows(scan(f"entities/{name}"), model.entity(name), keys)
        matched = scan("identity/account_matches") if name == "account_person" else None
        yield name, rows if matched is None else add_matches(rows, matched, model.entity(name))
    yield "event", rekey_events(scan("entities/event"), model.entity("event"), keys)
    people, ties = scan("entities/person"), scan("profiles/account_person")
    ids = scan("identity/person_ids")
    yield "person_account", person_accounts(people, ids, ties, keys)
    yield "person_component", person_components(people, ids, model.entity("person_component"), keys)
    yield "person_identity", person_identities(scan("identity/identities"))
    yield from _accounts(default, merged)
    yield "account_role", account_roles(ties, scan("profiles/opportunity_person"), scan("profiles/opportunity"))
    accounts, records, ids = scan("profiles/account"), scan("entities/account"), scan("identity/account_ids")
    yield "account_descendant", list_descendants(accounts, engine)
    yield "account_cycle", list_cycles(accounts, engine)
    related = related_accounts(accounts, records, ids, keys, engine)
    yield "account_account", related.pairs
    yield "large_account_group", related.left_out
    for policy in further:
        for name in _PLAIN:
            yield policy.table(name), merged(name, policy)
        yield from _accounts(policy, merged)


def _accounts(policy: Policy, merged: "_Merged") -> Tables:
    """Make the accounts of a policy, which add up its opportunities."""
    scan = merged.scan
    yield policy.table("account_pipeline"), account_pipelines(scan(f"profiles/{policy.table('opportunity')}"))
    pipelines = scan(f"profiles/{policy.table('account_pipeline')}")
    ties, events = scan("profiles/person_account"), scan("profiles/event")
    accounts = merged("account", policy)
    yield policy.table("account"), roll_up(accounts, pipelines=pipelines, person_accounts=ties, events=events)


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


@dataclass(frozen=True)
class _Merged:
    """Merges the records of an entity under a policy."""

    scan: Callable[[str], Frame]
    model: Model
    keys: Keys
    engine: Engine

    def __call__(self, name: str, policy: Policy) -> Frame:
        entity, ids = self.model.entity(name), self.scan(f"identity/{name}_ids")
        profiles = merge_records(self.scan(f"entities/{name}"), ids, entity, self.engine, policy)
        if name == "person":
            identities = self.scan("entities/identities").filter(nw.col("entity") == "person")
            profiles = add_identities(profiles, identities, ids, self.engine)
        referring = add_references(profiles, entity, self.keys)
        return add_places(self.engine.materialise(referring), self.engine) if name == "account" else referring
