"""What a user may say about identities, under ``identity`` in ``cdp.yaml``."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.identity.lead_to_account import LeadToAccount

_ROLES = (
    "abuse", "accounting", "accounts", "admin", "billing", "careers", "contact", "customerservice", "enquiries",
    "feedback", "finance", "hello", "help", "helpdesk", "hr", "info", "inquiries", "invoice", "invoices", "jobs", "kontakt",
    "legal", "mail", "marketing", "media", "news", "newsletter", "noreply", "no-reply", "office", "orders", "postmaster",
    "press", "privacy", "procurement", "purchasing", "reception", "recruiting", "sales", "security", "service", "spam",
    "support", "team", "webmaster",
    "anonymous", "example", "na", "n.a", "nobody", "noemail", "no-email", "nomail", "none", "notprovided", "null", "test",
    "unknown", "xxx",
)  # fmt: skip


# Addresses at these are made up, or are thrown away after an hour.
_TEST_DOMAINS = (
    "example.com", "example.net", "example.org", "test.com", "test.test", "domain.com",
    "10minutemail.com", "dispostable.com", "fakeinbox.com", "getnada.com", "guerrillamail.com", "mailinator.com",
    "maildrop.cc", "sharklasers.com", "temp-mail.org", "throwawaymail.com", "trashmail.com", "yopmail.com",
)  # fmt: skip

# What people write into a field that they have nothing for.
_PLACEHOLDERS = (
    "-", "--", "---", ".", "..", "?", "??", "0", "00000000", "123", "1234", "12345", "123456", "anonymous", "asdf",
    "dummy", "keine", "kein", "n.a.", "n.n.", "n/a", "na", "nan", "nil", "no", "nobody", "none", "not available",
    "not known", "null", "nv", "pending", "tba", "tbd", "test", "test test", "unbekannt", "unknown",
    "unknown unknown", "x", "xx", "xxx", "xxxx",
)  # fmt: skip

# What Python reads and an engine that promises to end does not.
_BEYOND_ENGINES = re.compile(r"\(\?[=!<P(]|\\[1-9]")


class Namespace(BaseModel):
    """A kind of identity: how much it is believed, and when it links nobody.

    Parameters
    ----------
    type
        What its values are. ``email``: mailboxes of functions and test addresses link nobody. ``phone``: numbers are
        read as E.164. ``ecid``: 38 digits. ``text``: anything.
    plus_tags, gmail_dots
        ``drop`` takes ``ana+news@x.com`` for ``ana@x.com``, and ``a.na@googlemail.com`` for ``ana@gmail.com``; for
        e-mail addresses.
    region
        Country of two letters that phone numbers are read in where their record names none.
    pattern
        Regular expression that a value must match.
    priority
        The lower, the more it is believed; 0 is for what people judged. Where links contradict each other, the stronger namespace wins.
    links
        Whether records with the same value are one; otherwise the namespace is only there to be ``unique``.
    unique
        ``profile``: no weaker namespace joins records with different values. ``instance``: the same among the records
        of one source instance. ``none``: values are free. ``true`` is ``profile``. ``group``: values read
        ``group|value``, and the same among the values of one group.
    max_records
        A value on more records than this links nobody; by default the limit of ``IdentityRules``.
    max_records_per_instance
        A value on more records of one source instance than this is ambiguous and links nobody.
    blocked
        What links nobody: a value, a mailbox at any domain (``demo@``), or a domain (``@example.com``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["text", "email", "phone", "ecid"] = "text"
    plus_tags: Literal["keep", "drop"] = "keep"
    gmail_dots: Literal["keep", "drop"] = "keep"
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    pattern: str | None = None
    priority: Annotated[int, Field(ge=0)] = 60
    links: bool = True
    unique: Literal["none", "profile", "instance", "group"] = "none"
    max_records: Annotated[int, Field(ge=1)] | None = None
    max_records_per_instance: Annotated[int, Field(ge=1)] | None = None
    blocked: tuple[str, ...] = ()

    @field_validator("unique", mode="before")
    @classmethod
    def _yes_is_profile(cls, given: Any) -> Any:
        return {True: "profile", False: "none"}[given] if isinstance(given, bool) else given

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, given: str | None) -> str | None:
        try:
            re.compile(given or "")
        except re.error as error:
            raise ValueError(f"{given!r} is no regular expression ({error})") from error
        if given and _BEYOND_ENGINES.search(given):
            raise ValueError(f"{given!r} looks ahead, looks back or repeats a group, which engines do not do")
        return given

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        of_addresses = [name for name in ("plus_tags", "gmail_dots") if getattr(self, name) == "drop"]
        if of_addresses and self.type != "email":
            raise ValueError(f"{of_addresses[0]} is a rule of e-mail addresses: it needs type: email")
        if self.region and self.type != "phone":
            raise ValueError("region is a rule of phone numbers: it needs type: phone")
        return self

    @property
    def rewrites(self) -> bool:
        """Whether a value may get another form than the record gave it."""
        return self.type == "phone" or "drop" in (self.plus_tags, self.gmail_dots)


# Besides keys, addresses and browsers, these are worked out of fields: ``identity/evidence.py`` and ``companies.py``.
_DEFAULTS = {
    "judged_apart": Namespace(priority=0, links=False, unique="group"),
    "judged_same": Namespace(priority=0),
    "person_key": Namespace(priority=10),
    "email": Namespace(type="email", priority=20),
    "name": Namespace(priority=30, links=False, unique="profile"),
    "ecid": Namespace(type="ecid", priority=40),
    "contact_card": Namespace(priority=50),
    "phone": Namespace(type="phone", priority=55, links=False),
    "probable": Namespace(priority=90),
    "account_key": Namespace(priority=10, unique="instance"),
    "duns": Namespace(priority=20, unique="profile", max_records_per_instance=1),
    "domain": Namespace(priority=30, links=False, unique="profile"),
    "name_domain": Namespace(priority=40, max_records_per_instance=1),
    "name_country": Namespace(priority=50, max_records_per_instance=1),
    "domain_country": Namespace(priority=60, max_records_per_instance=1),
}


class Probable(BaseModel):
    """Which profiles are proposed as probably one, and which are merged without asking.

    Parameters
    ----------
    review_above
        Least probability of a proposal.
    merge_above
        From this probability on the two are linked, in the namespace ``probable``, as far as the unique rules allow;
        never, if it is not said.
    missed
        How many pairs that belong together the identities miss, for each that they link.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    review_above: Annotated[float, Field(gt=0, le=1)] = 0.8
    merge_above: Annotated[float, Field(gt=0, le=1)] | None = None
    missed: Annotated[float, Field(gt=0, le=1)] = 0.05

    @model_validator(mode="after")
    def _merges_what_it_proposes(self) -> Self:
        if self.merge_above is not None and self.merge_above < self.review_above:
            raise ValueError("merge_above is below review_above, where nothing is proposed")
        return self


class IdentityRules(BaseModel):
    """Which identities link records, and which do not.

    Parameters
    ----------
    max_records
        An identity on more records than this is a shared mailbox, a shared device or a placeholder and links nobody.
    role_mailboxes
        Names before the ``@`` that belong to a function or stand for no address at all; such an address links nobody.
    test_domains
        Domains behind the ``@`` that are made up or thrown away; such an address links nobody.
    placeholders
        Texts, in lower case, that stand for nothing; they identify nobody in any namespace.
    namespaces
        Rules by namespace; what is not said keeps its default.
    lead_to_account
        How people whom no source gives an account are matched to one.
    probable
        For ``person`` and ``account``: which profiles are proposed as probably one. Off where nothing is said.

    Examples
    --------
    >>> IdentityRules(namespaces={"ecid": {"max_records": 4}}).namespace("ecid").priority
    40
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_records: Annotated[int, Field(ge=1)] = 50
    role_mailboxes: tuple[str, ...] = _ROLES
    test_domains: tuple[str, ...] = _TEST_DOMAINS
    placeholders: tuple[str, ...] = _PLACEHOLDERS
    namespaces: dict[str, Namespace] = Field(default=_DEFAULTS)
    lead_to_account: LeadToAccount = LeadToAccount()
    probable: dict[str, Probable] = {}

    @field_validator("probable")
    @classmethod
    def _of_people_or_accounts(cls, given: dict[str, Probable]) -> dict[str, Probable]:
        if others := sorted(given.keys() - {"person", "account"}):
            raise ValueError(f"probable matches are for person and account, not for {others[0]!r}")
        return given

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

    def check(self, carried: Iterable[str], *, where: str = "cdp.yaml") -> None:
        """Check that every namespace with a rule is carried by something.

        Parameters
        ----------
        carried
            Namespaces of the model's fields.
        where
            What the rules are written in, for the error.

        Raises
        ------
        UnknownNameError
            If nothing carries a namespace; with the nearest ones.
        """
        known = [*carried, *_DEFAULTS]
        for name in self.namespaces:
            if name not in known:
                raise UnknownNameError("namespace", name, known, where=f"{where}, identity.namespaces")

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
