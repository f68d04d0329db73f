"""What a user may say about identities, under ``identity`` in ``cdp.yaml``."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_ROLES = (
    "abuse", "accounting", "accounts", "admin", "billing", "careers", "contact", "customerservice", "enquiries",
    "feedback", "finance", "hello", "help", "helpdesk", "hr", "info", "inquiries", "invoice", "invoices", "jobs", "kontakt",
    "legal", "mail", "marketing", "media", "news", "newsletter", "noreply", "no-reply", "office", "orders", "postmaster",
    "press", "privacy", "procurement", "purchasing", "reception", "recruiting", "sales", "security", "service", "spam",
    "support", "team", "webmaster",
    "anonymous", "example", "na", "n.a", "nobody", "noemail", "no-email", "nomail", "none", "notprovided", "null", "test",
    "unknown", "xxx",
)  # fmt: skip


class Namespace(BaseModel):
    """A kind of identity: how much it is believed, and when it links nobody.

    Parameters
    ----------
    priority
        The lower, the more it is believed. Where links contradict each other, the stronger namespace wins.
    links
        Whether records with the same value are one; otherwise the namespace is only there to be ``unique``.
    unique
        ``profile``: no weaker namespace joins records with different values. ``instance``: the same among the records
        of one source instance. ``none``: values are free.
    max_records
        A value on more records than this links nobody; by default the limit of ``IdentityRules``.
    max_records_per_instance
        A value on more records of one source instance than this is ambiguous and links nobody.
    blocked
        What links nobody: a value, a mailbox at any domain (``demo@``), or a domain (``@example.com``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    priority: Annotated[int, Field(ge=1)] = 60
    links: bool = True
    unique: Literal["none", "profile", "instance"] = "none"
    max_records: Annotated[int, Field(ge=1)] | None = None
    max_records_per_instance: Annotated[int, Field(ge=1)] | None = None
    blocked: tuple[str, ...] = ()


# Besides keys, addresses and browsers, these are worked out of fields: ``identity/evidence.py``.
_DEFAULTS = {
    "person_key": Namespace(priority=10),
    "email": Namespace(priority=20),
    "name": Namespace(priority=30, links=False, unique="profile"),
    "ecid": Namespace(priority=40),
    "contact_card": Namespace(priority=50),
    "account_key": Namespace(priority=10, unique="instance"),
    "domain": Namespace(priority=30, links=False, unique="profile"),
    "name_domain": Namespace(priority=40, max_records_per_instance=1),
    "name_country": Namespace(priority=50, max_records_per_instance=1),
}


class IdentityRules(BaseModel):
    """Which identities link records, and which do not.

    Parameters
    ----------
    max_records
        An identity on more records than this is a shared mailbox, a shared device or a placeholder and links nobody.
    role_mailboxes
        Names before the ``@`` that belong to a function or stand for no address at all; such an address links nobody.
    namespaces
        Rules by namespace; what is not said keeps its default.

    Examples
    --------
    >>> IdentityRules(namespaces={"ecid": {"max_records": 4}}).namespace("ecid").priority
    40
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_records: Annotated[int, Field(ge=1)] = 50
    role_mailboxes: tuple[str, ...] = _ROLES
    namespaces: dict[str, Namespace] = Field(default=_DEFAULTS)

    @field_validator("namespaces", mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        said = {
            name: rule.model_dump(exclude_unset=True) if isinstance(rule, Namespace) else rule
            for name, rule in given.items()
        }
        known = {name: rule.model_dump() for name, rule in _DEFAULTS.items()}
        return known | {
            name: known.get(name, {}) | rule if isinstance(rule, dict) else rule for name, rule in said.items()
        }

    def namespace(self, name: str) -> Namespace:
        """Return the rule of a namespace.

        Parameters
        ----------
        name
            Such as ``email``.

        Returns
        -------
        Namespace
            Keys of records come first, a namespace that nobody defined last.
        """
        return self.namespaces.get(name, Namespace(priority=10) if name.endswith("_key") else Namespace())
