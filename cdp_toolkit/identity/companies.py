"""Identities that the fields of an account give: its domain, and its name with domain or country."""

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.identity.claims import claimed, joined, plain

_FREE_MAIL = (
    "aol.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "live.com", "mail.ru",
    "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.com", "yandex.ru",
)  # fmt: skip


def claim_companies(accounts: Frame) -> list[Frame]:
    """Work identities out of the fields of accounts.

    Parameters
    ----------
    accounts
        One row per record, as in ``entities/account``; deleted ones say nothing.

    Returns
    -------
    list of Frame
        As ``claimed``: ``domain``, ``name_domain`` and ``name_country``.
    """
    name, host = plain("account_name"), nw.col("website").str.to_lowercase()
    for noise in ("^[a-z]+://", r"^www\.", "[/:?#].*$"):
        host = host.str.replace_all(noise, "")
    stated = nw.coalesce(nw.col("domain"), host)
    domain = nw.when(~stated.is_in(_FREE_MAIL)).then(stated)
    identities = {
        "domain": domain,
        "name_domain": joined(name, domain),
        "name_country": joined(name, plain("billing_country")),
    }
    return claimed(accounts, "account", identities)
