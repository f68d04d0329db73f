"""Look somebody up in a notebook: by any identity, masked until asked otherwise."""

from typing import Any

from cdp_toolkit.errors import CdpError
from cdp_toolkit.explore.cards import Page
from cdp_toolkit.explore.profile_page import profile_page
from cdp_toolkit.workspace import Workspace


class Browser:
    """The page of a person or account that is looked up.

    In a notebook that is open it has a field to search by and a switch for personal data; in one that is read it shows
    the page that it was given.

    Parameters
    ----------
    ws
        The workspace.
    identity
        Whom to begin with: a profile id, an e-mail address, a web id, a source key, or the name of an account.
    entity
        ``person`` or ``account``.
    """

    def __init__(self, ws: Workspace, identity: str | int = "", entity: str = "person") -> None:
        self.ws, self.identity, self.entity = ws, str(identity), entity
        self.is_masked = True
        self.problem = ""
        self.page: Page | None = None
        self._view: Any = None
        self.look()

    def find(self, identity: str | int, entity: str = "") -> Page | None:
        """Look somebody up, masked.

        Parameters
        ----------
        identity
            Anything that identifies.
        entity
            ``person`` or ``account``; as before by default.

        Returns
        -------
        Page or None
            None where nobody is known by it.
        """
        self.identity, self.entity, self.is_masked = str(identity).strip(), entity or self.entity, True
        return self.look()

    def unmask(self, *, is_masked: bool = False) -> Page | None:
        """Show, or hide again, what says who somebody is.

        Parameters
        ----------
        is_masked
            Whether to hide it.

        Returns
        -------
        Page or None
            The same page.
        """
        self.is_masked = is_masked
        return self.look()

    def look(self) -> Page | None:
        """Read the page again.

        Returns
        -------
        Page or None
            None where nobody is known by the identity; ``problem`` says so.
        """
        self.page, self.problem = None, ""
        if not self.identity:
            return None
        try:
            found = (self.ws.profile if self.entity == "person" else self.ws.account)(self.identity)
            self.page = profile_page(self.ws, found, is_masked=self.is_masked)
        except CdpError as error:
            self.problem = error.message
        return self.page

    @property
    def html(self) -> str:
        """The page, or what is wrong."""
        from html import escape

        if self.page is None:
            return f"<p>{escape(self.problem or 'Search by e-mail address, name of an account, source key or profile id.')}</p>"
        return self.page._repr_html_()

    def __repr__(self) -> str:
        """Return the page as text."""
        return repr(self.page) if self.page else self.problem or "Browser: nobody is looked up"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return the live view for a notebook that is open, and the page for one that is read."""
        if self._view is None:
            self._view = _view(self)
        live = self._view._repr_mimebundle_()
        return (live[0] if isinstance(live, tuple) else live or {}) | {"text/html": self.html, "text/plain": repr(self)}


def _view(browser: Browser) -> Any:
    import ipywidgets as w

    entity = w.ToggleButtons(options=[("People", "person"), ("Accounts", "account")], value=browser.entity)
    entity.style.button_width = "90px"
    search = w.Text(value=browser.identity, placeholder="e-mail address, source key, profile id, name of an account",
                    continuous_update=False, layout=w.Layout(width="420px"))  # fmt: skip
    shown = w.ToggleButton(value=False, description="Show personal data", icon="eye", layout=w.Layout(width="170px"))
    page = w.HTML(browser.html)

    def find(_: Any) -> None:
        browser.find(search.value, entity.value)
        shown.value = False
        page.value = browser.html

    def unmask(change: Any) -> None:
        if change["new"] == browser.is_masked:
            browser.unmask(is_masked=not change["new"])
            page.value = browser.html

    search.observe(find, "value")
    entity.observe(find, "value")
    shown.observe(unmask, "value")
    return w.VBox([w.HBox([entity, search, shown]), page])
