"""One person or account as an analyst meets it: values, where each came from, and all that belongs to it."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import narwhals as nw

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.identity.explain import IdentityExplanation
from cdp_toolkit.identity.explain import explain as explain_identity
from cdp_toolkit.identity.matching import tell_match
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.packed import bucket_of
from cdp_toolkit.model.personal import is_personal, mask, mask_addresses, mask_identity
from cdp_toolkit.profiles.build import table_of
from cdp_toolkit.profiles.explain import derived_origins, origins
from cdp_toolkit.profiles.neighbours import neighbours
from cdp_toolkit.profiles.page import page, text
from cdp_toolkit.profiles.policies import Policy

_LARGEST = 2**63
_KEYS = ("_key", "_keys")  # of records: they look like addresses, and are none


@dataclass(frozen=True)
class Profile:
    """One person or account, shown masked unless ``unmasked`` is called.

    Parameters
    ----------
    entity
        ``person`` or ``account``.
    profile_id
        Its id.
    values
        Value by column, without nulls.
    origins
        For each column with a value the record that it came from, the rule of the merge policy that decided, and what
        other records say; for a derived column how it is made.
    identity
        The records, the links between them and the links refused.
    merge_policy
        Name of the policy whose values these are.
    lake
        Where all that belongs to it is read, when it is asked for.
    is_masked
        Whether values that say who somebody is are masked where it is shown, as text or as HTML.
    """

    entity: str
    profile_id: int
    values: dict[str, Any]
    origins: list[dict[str, Any]] = field(repr=False)
    identity: IdentityExplanation = field(repr=False)
    merge_policy: str
    lake: Lake = field(repr=False)
    is_masked: bool = True

    def unmasked(self) -> "Profile":
        """Show personal data.

        Returns
        -------
        Profile
            The same, shown whole.
        """
        return replace(self, identity=self.identity.unmasked(), is_masked=False)

    @cached_property
    def neighbours(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of what belongs to it, by kind, the first 50 of each.

        Those of a person are ``components`` (what each source record says), ``identities`` and ``accounts``; those of an
        account ``people``, ``opportunities``, ``pipelines`` (a row a currency) and ``roles``.
        """
        tables = self.lake
        return neighbours(
            lambda name: tables.scan(f"profiles/{table_of(name, self.merge_policy)}"),
            tables.engine,
            self.entity,
            self.profile_id,
        )

    @cached_property
    def segments(self) -> list[dict[str, Any]]:
        """Segments that it is or was in: ``segment``, ``status``, first and latest entry, and exit."""
        if not self.lake.exists("segments/membership"):
            return []
        # Of the packed membership only the bucket of this profile is unpacked.
        own: dict[str, list[str | int]] = {"entity": [self.entity], "bucket": [bucket_of(self.profile_id)]}
        rows = self.lake.scan("segments/membership", only=own).filter(nw.col("profile_id") == self.profile_id)
        found = self.lake.engine.collect(rows.drop("entity", "profile_id")).to_pylist()
        return sorted(found, key=lambda row: (row["status"] != "realized", row["segment"]))

    @cached_property
    def account_match(self) -> str:
        """How a person whom no source gives an account was matched to one, as a sentence; empty for all others."""
        if self.entity != "person" or not self.lake.exists("identity/account_matches"):
            return ""
        engine, accounts = self.lake.engine, self.lake.scan("profiles/account")
        names = accounts.select("account_name", account_id="profile_id")
        own = self.lake.scan("identity/account_matches").filter(nw.col("profile_id") == self.profile_id)
        found = engine.collect(own.join(names, on="account_id", how="left")).to_pylist()
        return "".join(tell_match(match, match["account_name"] or str(match["account_id"])) for match in found)

    def explain(self) -> IdentityExplanation:
        """Say why these records are one.

        Returns
        -------
        IdentityExplanation
            The records, the links between them and the links refused.
        """
        return self.identity

    def __str__(self) -> str:
        """Return a line per value, with its origin."""
        lines = [f"{self.entity} {self.profile_id}"]
        for each in self._shown_origins():
            others = f" (others say {', '.join(each['others'])})" if each["others"] else ""
            origin = f"{each['source_key']} ({each['rule']})" if each["source_key"] else each["rule"]
            lines.append(f"  {each['column']}: {text(each['value'])}  ← {origin}{others}")
        lines += [f"  {self._text(self.account_match)}"] if self.account_match else []
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        known = self._shown(self.values, self.entity)
        names = [known.get(name) for name in ("first_name", "last_name")]
        name = known.get("account_name") or " ".join(filter(None, names)) or known.get("email")
        policy = "" if self.merge_policy == Policy().name else f", merge policy {self.merge_policy}"
        told = f"{self.entity} {self.profile_id}, {text(self.values['records'])} records{policy}"
        told = f"{told}. {self._text(self.account_match)}" if self.account_match else told
        return page(str(name or self.profile_id), told, self._shown_origins(), self._sections())

    def _sections(self) -> dict[str, list[dict[str, Any]]]:
        titles = {"components": "Records"}
        entities = {"components": "person", "people": "person"}
        found = {
            titles.get(kind, kind.capitalize()): [self._shown(row, entities.get(kind, "account")) for row in rows]
            for kind, rows in self.neighbours.items()
        }
        return found | {"Segments": self.segments}

    def _shown_origins(self) -> list[dict[str, Any]]:
        shown = []
        for each in self.origins:
            column = each["column"]
            values = [self._shown({column: value}, self.entity)[column] for value in (each["value"], *each["others"])]
            shown.append(each | {"value": values[0], "others": values[1:]})
        return shown

    def _shown(self, row: dict[str, Any], entity: str) -> dict[str, Any]:
        """Return a row of an entity, or an identity, as it is shown."""
        if not self.is_masked:
            return row
        if row.keys() == {"namespace", "value"}:
            return row | {"value": mask_identity(row["namespace"], row["value"])}
        fields = self.lake.model.entity(entity).fields
        always = {name for name in row if name in fields and is_personal(fields[name])}
        return {name: value if name.endswith(_KEYS) else _masked(value, name in always) for name, value in row.items()}

    def _text(self, told: str) -> str:
        return mask_addresses(told) if self.is_masked else told


def _masked(value: Any, is_always: bool) -> Any:  # noqa: FBT001 - of this file alone
    match value:
        case str():
            return mask(value) if is_always else mask_addresses(value)
        case list():
            return [_masked(each, is_always) for each in value]
        case _:
            return value


def find_profile(lake: Lake, entity: str, identity: str | int, policy: Policy | None = None) -> Profile:
    """Find a profile by any identity.

    Parameters
    ----------
    lake
        Where the tables are.
    entity
        ``person`` or ``account``.
    identity
        A profile id, or anything that identifies: e-mail address, ECID, source key, name of an account.
    policy
        Merge policy; the default one by default.

    Returns
    -------
    Profile
        Values, origins and records.

    Raises
    ------
    UnknownNameError
        If nobody is known by it.
    """
    policy, model = policy or Policy(), lake.model.entity(entity)
    profiles = lake.scan(f"profiles/{policy.table(entity)}")
    found = lake.engine.collect(
        profiles.filter(nw.col("profile_id") == _profile_id(lake, entity, identity))
    ).to_pylist()
    if not found:
        raise UnknownNameError(entity, str(identity), [])
    values = {name: value for name, value in found[0].items() if value is not None}
    profile_id = values["profile_id"]
    ids, records = lake.scan(f"identity/{entity}_ids"), lake.scan(f"entities/{entity}")
    recorded = origins(records, ids, model, lake.engine, profile_id=profile_id, policy=policy)
    return Profile(
        entity,
        profile_id,
        values,
        recorded + derived_origins(values, model),
        explain_identity(profile_id, lake.scan, entity, lake.engine),
        policy.name,
        lake,
    )


def _profile_id(lake: Lake, entity: str, identity: str | int) -> int:
    text = str(identity).strip()
    known = lake.scan("identity/identities").filter(nw.col("entity") == entity)
    by_identity = lake.engine.collect(known.filter(nw.col("value").is_in([text, text.lower()])))
    if len(by_identity):
        return int(by_identity["profile_id"][0].as_py())
    if text.isdigit() and int(text) < _LARGEST:
        return _present_id(lake, entity, int(text))
    if entity == "account":
        named = lake.scan("profiles/account").filter(nw.col("account_name") == text).select("profile_id")
        return next(iter(lake.engine.collect(named)["profile_id"].to_pylist()), -1)
    return -1


def _present_id(lake: Lake, entity: str, profile_id: int) -> int:
    """Return the id itself, or what it means now if it was given up."""
    aliases = lake.scan("identity/aliases").filter(nw.col("entity") == entity, nw.col("alias_id") == profile_id)
    return next(iter(lake.engine.collect(aliases)["profile_id"].to_pylist()), profile_id)
