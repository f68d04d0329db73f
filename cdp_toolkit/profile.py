"""One person or account as an analyst meets it: values, where each came from, and the records behind them."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import narwhals as nw

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.identity.explain import IdentityExplanation
from cdp_toolkit.identity.explain import explain as explain_identity
from cdp_toolkit.lake import Lake
from cdp_toolkit.profiles.explain import origins
from cdp_toolkit.profiles.policies import Policy

_LARGEST = 2**63


@dataclass(frozen=True)
class Profile:
    """One person or account.

    Parameters
    ----------
    entity
        ``person`` or ``account``.
    profile_id
        Its id.
    values
        Value by column, without nulls.
    origins
        For each column with a value the record that it came from and what other records say.
    identity
        The records, the links between them and the links refused.
    """

    entity: str
    profile_id: int
    values: dict[str, Any]
    origins: list[dict[str, Any]] = field(repr=False)
    identity: IdentityExplanation = field(repr=False)

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
        for each in self.origins:
            others = f" (others say {', '.join(each['others'])})" if each["others"] else ""
            lines.append(f"  {each['column']}: {each['value']}  ← {each['source_key']} ({each['rule']}){others}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(each['column'])}</td><td>{escape(str(each['value']))}</td>"
            f"<td>{escape(each['source_key'])}</td><td>{escape(', '.join(each['others']))}</td></tr>"
            for each in self.origins
        )
        head = "<tr><th>column</th><th>value</th><th>from</th><th>others say</th></tr>"
        return f"<b>{self.entity} {self.profile_id}</b><table>{head}{rows}</table>"


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
    policy = policy or Policy()
    profiles = lake.scan(f"profiles/{policy.table(entity)}")
    found = lake.engine.collect(
        profiles.filter(nw.col("profile_id") == _profile_id(lake, entity, identity))
    ).to_pylist()
    if not found:
        raise UnknownNameError(entity, str(identity), [])
    profile_id = found[0]["profile_id"]
    ids, records = lake.scan(f"identity/{entity}_ids"), lake.scan(f"entities/{entity}")
    return Profile(
        entity,
        profile_id,
        {name: value for name, value in found[0].items() if value is not None},
        origins(records, ids, lake.model.entity(entity), lake.engine, profile_id=profile_id, policy=policy),
        explain_identity(profile_id, lake.scan, entity, lake.engine),
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
