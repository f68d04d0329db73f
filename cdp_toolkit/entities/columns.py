"""How a mapping's words find the columns of a delivery."""

from collections.abc import Iterable


class Columns:
    """The columns of a delivery, found by name or by path.

    Parameters
    ----------
    names
        Column names as delivered.
    loose
        Whether blanks and underscores do not count.
    """

    def __init__(self, names: Iterable[str], *, loose: bool = False) -> None:
        self.names = list(names)
        self._loose = loose
        self._folded = {self._fold(name): name for name in reversed(self.names)}

    def find(self, source: str) -> tuple[str, str] | None:
        """Find where a value stands.

        Parameters
        ----------
        source
            Column, or a dotted path that begins with one.

        Returns
        -------
        tuple or None
            Column, and the rest of the path in its JSON (empty where the column itself is meant).
        """
        if source in self.names:
            return source, ""
        ends = [i for i, sign in enumerate(source) if sign in ".["]
        for end in (len(source), *reversed(ends)):
            column = self._folded.get(self._fold(source[:end]))
            if column is not None:
                return column, source[end:]
        return None

    def has(self, source: str) -> bool:
        """Tell whether a value, or all parts of a text with braces, can be found.

        Parameters
        ----------
        source
            As in a mapping.

        Returns
        -------
        bool
            Whether the columns are there.
        """
        return all(self.find(part) is not None for part in template_parts(source) or [source])

    def _fold(self, name: str) -> str:
        folded = name.casefold()
        return folded.replace("_", "").replace(" ", "") if self._loose else folded


def template_parts(source: str) -> list[str]:
    """Return the columns that a text with braces names.

    Parameters
    ----------
    source
        As in a mapping.

    Returns
    -------
    list of str
        Names between braces; empty for a plain column.

    Examples
    --------
    >>> template_parts("{listId}-{leadId}")
    ['listId', 'leadId']
    """
    return [part.partition("}")[0] for part in source.split("{")[1:]]
