"""Where a rule begins: an entity, with the columns that a workspace knows."""

from cdp_toolkit.model import Model
from cdp_toolkit.segments.builder.rows import Row, root


class Rules:
    """The starts of rules: an attribute for each entity, with a workspace's own columns.

    Parameters
    ----------
    model
        Entities, fields and relations; those of the toolkit by default.

    Examples
    --------
    >>> rules = Rules()
    >>> print(rules.account.annual_revenue > 1_000_000)
    annual_revenue > 1000000
    """

    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model.standard()

    def __getattr__(self, name: str) -> Row:
        """Return the rows of an entity."""
        if name.startswith("_"):
            raise AttributeError(name)
        return root(self._model, self._model.entity(name).name)

    def __dir__(self) -> list[str]:
        """Return the entities."""
        return sorted(self._model.entities)


person, account = Rules().person, Rules().account
