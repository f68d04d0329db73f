"""What an expression may stand for: one value, a row, and the kinds of arrays."""

from dataclasses import dataclass, replace

from cdp_toolkit.segments.pql.bound import Bound, Column, Keep, Step, moved_step, shifted, truth


@dataclass(frozen=True)
class Row:
    """One row, reached from a variable by to-one relations."""

    up: int
    hops: tuple[str, ...]
    entity: str


@dataclass(frozen=True)
class Rows:
    """Many rows of an entity, reached from a row.

    After ``topN`` and ``bottomN`` they have an ``order``: a value of each row, and whether the largest comes first.
    After ``head`` they are a single row, or none.
    """

    up: int
    hops: tuple[str, ...]
    steps: tuple[Step, ...]
    entity: str
    order: tuple[Bound, bool] | None = None
    is_single: bool = False

    def where(self, condition: Bound) -> "Rows":
        """Return the rows that also meet a condition.

        Parameters
        ----------
        condition
            As seen from a row.

        Returns
        -------
        Rows
            Fewer rows.
        """
        *before, last = self.steps
        if last.keep is not None:  # which rows were kept must not change
            return replace(self, steps=(*self.steps, Step("", condition)))
        both = condition if last.condition is None else truth("and", last.condition, condition)
        return replace(self, steps=(*before, replace(last, condition=both)))

    def kept(self, keep: Keep) -> "Rows":
        """Return some of the rows.

        Parameters
        ----------
        keep
            Which.

        Returns
        -------
        Rows
            Fewer rows.
        """
        *before, last = self.steps
        steps = (*self.steps, Step("", keep=keep)) if last.keep is not None else (*before, replace(last, keep=keep))
        return replace(self, steps=steps)


@dataclass(frozen=True)
class Values:
    """A value of each of many rows; null is no value."""

    rows: Rows
    value: Bound
    is_distinct: bool = False


@dataclass(frozen=True)
class Items:
    """An array whose items are written one by one; null is no item."""

    items: tuple[Bound, ...]


@dataclass(frozen=True)
class Groups:
    """Rows by a key: one of ``firsts`` for each key that is not null."""

    rows: Rows
    key: Bound
    firsts: Rows
    value: Bound | None = None


@dataclass(frozen=True)
class Object:
    """Fields of a row whose paths begin alike, such as an address: a map from the rest of the path to the value."""

    row: Row
    path: str
    fields: tuple[tuple[str, Column], ...]


Meaning = Row | Rows | Values | Items | Groups | Object | Bound
ARRAYS = (Rows, Values, Items, Groups)


def is_array(meaning: Meaning) -> bool:
    """Return whether a meaning is an array of any kind.

    Parameters
    ----------
    meaning
        A meaning.

    Returns
    -------
    bool
        False for the one row that ``head`` gives.
    """
    if isinstance(meaning, Rows):
        return not meaning.is_single
    if isinstance(meaning, Values):
        return not meaning.rows.is_single
    return isinstance(meaning, ARRAYS) or (isinstance(meaning, Bound) and meaning.kind in {"list", "texts"})


def moved(meaning: Meaning, by: int) -> Meaning:
    """Return a meaning as seen from further in.

    Parameters
    ----------
    meaning
        A meaning.
    by
        How many arrays further in.

    Returns
    -------
    Meaning
        The same.
    """
    match meaning:
        case Row() | Object():
            return _moved_row(meaning, by)
        case Rows():
            return moved_rows(meaning, by)
        case Values():
            return replace(meaning, rows=moved_rows(meaning.rows, by), value=shifted(meaning.value, by, least=1))
        case Items(items):
            return Items(tuple(shifted(each, by) for each in items))
        case Groups():
            return Groups(
                moved_rows(meaning.rows, by),
                shifted(meaning.key, by, least=1),
                moved_rows(meaning.firsts, by),
                meaning.value and shifted(meaning.value, by, least=1),
            )
        case _:
            return shifted(meaning, by)


def _moved_row(meaning: Row | Object, by: int) -> Row | Object:
    if isinstance(meaning, Row):
        return replace(meaning, up=meaning.up + by)
    fields = tuple((name, shifted(column, by)) for name, column in meaning.fields)
    return replace(meaning, row=replace(meaning.row, up=meaning.row.up + by), fields=fields)


def moved_rows(rows: Rows, by: int) -> Rows:
    """Return rows as seen from further in.

    Parameters
    ----------
    rows
        Rows.
    by
        How many arrays further in.

    Returns
    -------
    Rows
        The same.
    """
    steps = tuple(moved_step(step, by, least=1) for step in rows.steps)
    order = rows.order and (shifted(rows.order[0], by, least=1), rows.order[1])
    return replace(rows, up=rows.up + by, steps=steps, order=order)
