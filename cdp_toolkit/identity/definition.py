"""What a user may say about identities, under ``identity`` in ``cdp.yaml``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_ROLES = (
    "abuse", "accounting", "accounts", "admin", "billing", "careers", "contact", "customerservice", "enquiries",
    "feedback", "finance", "hello", "help", "helpdesk", "hr", "info", "inquiries", "invoice", "invoices", "jobs", "kontakt",
    "legal", "mail", "marketing", "media", "news", "newsletter", "noreply", "no-reply", "office", "orders", "postmaster",
    "press", "privacy", "procurement", "purchasing", "reception", "recruiting", "sales", "security", "service", "spam",
    "support", "team", "webmaster",
    "anonymous", "example", "na", "n.a", "nobody", "noemail", "no-email", "nomail", "none", "notprovided", "null", "test",
    "unknown", "xxx",
)  # fmt: skip


class IdentityRules(BaseModel):
    """Which identities link records, and which do not.

    Parameters
    ----------
    max_records
        An identity on more records than this is a shared mailbox, a shared device or a placeholder and links nobody.
    role_mailboxes
        Names before the ``@`` that belong to a function or stand for no address at all; such an address links nobody.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_records: Annotated[int, Field(ge=1)] = 50
    role_mailboxes: tuple[str, ...] = _ROLES
