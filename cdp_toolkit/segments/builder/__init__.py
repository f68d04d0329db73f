"""Rules that read naturally in a notebook, and print as text of the language.

>>> print((person.country == "DE") & person.opportunity_roles.any(role="Decision Maker"))
country = "DE" and opportunityRoles.exists(role = "Decision Maker")
>>> print(person.events("web.webpagedetails.pageViews").within("30d").count() >= 3)
xEvent[event_type = "web.webpagedetails.pageViews" and timestamp occurs <= 30 days before now].count() >= 3
>>> print(person.accounts.any(account.opportunities.any(is_closed=False), account_name=person.company_name))
accounts.exists(opportunities.exists(is_closed = false) and account_name = $1.company_name)
"""

from cdp_toolkit.segments.builder.rows import Many, Row
from cdp_toolkit.segments.builder.start import Rules, account, person
from cdp_toolkit.segments.builder.values import Value

__all__ = ["Many", "Row", "Rules", "Value", "account", "person"]
