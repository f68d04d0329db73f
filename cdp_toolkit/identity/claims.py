"""What fields give together as an identity, as rows."""

from collections.abc import Mapping

import narwhals as nw

from cdp_toolkit.engines import Frame


def claimed(records: Frame, entity: str, values: Mapping[str, nw.Expr]) -> list[Frame]:
    """Return what live records claim to be.

    Parameters
    ----------
    records
        One row per record: ``source_key``, ``is_deleted``, ``updated_at``, ``loaded_at`` and the fields.
    entity
        Name of the entity.
    values
        Identity by namespace.

    Returns
    -------
    list of Frame
        One a namespace, with a row per record that has a value: ``entity``, ``source_key``, ``namespace``, ``value``,
        ``seen_at``.
    """
    live = records.filter(~nw.col("is_deleted"))
    seen_at = nw.coalesce(nw.col("updated_at"), nw.col("loaded_at"))
    return [
        live.select(
            entity=nw.lit(entity), source_key=nw.col("source_key"), namespace=nw.lit(namespace), value=value,
            seen_at=seen_at,
        ).filter(~nw.col("value").is_null())
        for namespace, value in values.items()
    ]  # fmt: skip


def plain(column: str) -> nw.Expr:
    """Return a text column without capitals and outer blanks.

    Parameters
    ----------
    column
        Name of the column.

    Returns
    -------
    narwhals.Expr
        Text.
    """
    return nw.col(column).str.to_lowercase().str.strip_chars()


def joined(*parts: nw.Expr) -> nw.Expr:
    """Return texts as one, null where one of them is.

    Parameters
    ----------
    *parts
        Texts.

    Returns
    -------
    narwhals.Expr
        Text with blanks between the parts.
    """
    return nw.concat_str(*parts, separator=" ")
