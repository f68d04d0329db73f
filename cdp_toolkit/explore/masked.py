"""Frames of profiles with personal data masked."""

import polars as pl

from cdp_toolkit.explore.numbers.reading import read
from cdp_toolkit.lake import Lake
from cdp_toolkit.model import Model
from cdp_toolkit.model.personal import is_personal


def sample(lake: Lake, entity: str, *columns: str, most: int = 10) -> pl.DataFrame:
    """Show some profiles, masked.

    Parameters
    ----------
    lake
        Tables of the workspace.
    entity
        Whose profiles, such as ``person``.
    *columns
        Columns to show; those that hold a value, by default.
    most
        How many profiles, those with the smallest ids.

    Returns
    -------
    polars.DataFrame
        One row a profile.
    """
    chosen = lake.scan(f"profiles/{entity}").sort("profile_id").head(most)
    frame = read(lake, chosen).sort("profile_id")
    held = [name for name in frame.columns if frame[name].null_count() < frame.height]
    return masked(frame.select(columns or held), entity=entity, model=lake.model)


def masked(frame: pl.DataFrame, *, entity: str = "person", model: Model | None = None) -> pl.DataFrame:
    """Mask the values that identify a person directly.

    Parameters
    ----------
    frame
        One row a profile or a record, with columns of the model.
    entity
        Entity whose fields they are.
    model
        The model that knows which fields identify; the standard one by default.

    Returns
    -------
    polars.DataFrame
        The same rows; of such a text the first letter stays, and of an e-mail address its domain.

    Examples
    --------
    >>> masked(pl.DataFrame({"email": ["anna@acme.example"], "city": ["Graz"]})).row(0)
    ('a•••@acme.example', 'Graz')
    """
    fields = (model or Model.standard()).entities[entity].fields.values()
    direct = {field.name for field in fields if is_personal(field)} & set(frame.columns)
    texts = [name for name in direct if frame.schema[name] == pl.String]
    lists = [
        name for name, kind in frame.schema.items() if name in {"emails", "source_keys"} and kind == pl.List(pl.String)
    ]
    return frame.with_columns(
        *(_mask(pl.col(name)).alias(name) for name in texts),
        *(pl.col(name).list.eval(_mask(pl.element())).alias(name) for name in lists),
    )


def _mask(text: pl.Expr) -> pl.Expr:
    return text.str.replace(r"^(.)[^@]*", "${1}•••")
