"""Who is refused and why. The first rule that holds gives the reason; no member is dropped without one."""

from collections.abc import Mapping

import narwhals as nw

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Connection
from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.model import Entity


def refuse(candidates: Frame, connection: Connection, *, channel: str | None) -> Frame:
    """Say of each member under which key it is sent, or why it is not.

    Parameters
    ----------
    candidates
        One row per audience and member: ``_audience``, ``_profile_id``, ``_has_profile``, ``_consent`` and
        ``_consent_any`` (``y``, ``n``, … or null), ``_is_known`` (to the source that the connection requires), and
        the destination's fields.
    connection
        Says by which fields the destination knows someone.
    channel
        Marketing channel, for the reason; ``None`` if consent does not matter.

    Returns
    -------
    Frame
        The same rows with ``_reason`` (null if allowed) and ``_row_key``: the destination's own identity, or
        ``profile:<id>`` for a refused row.
    """
    key = nw.coalesce(*(nw.col(field).cast(nw.String) for field in connection.identity))
    names = " or ".join(connection.identity)
    # The answer for a channel outweighs the one for any channel.
    consent = nw.coalesce(nw.col("_consent"), nw.col("_consent_any"))
    rules = {
        "has no profile any more": ~nw.col("_has_profile"),
        f"opted out of {channel}": consent == "n",
        f"not known to {connection.requires_source}": ~nw.col("_is_known"),
        f"no {names}": key.is_null(),
    }
    judged = candidates.with_columns(_key=key, _reason=_first(rules))
    allowed = nw.when(nw.col("_reason").is_null()).then(nw.col("_profile_id"))
    held = judged.with_columns(_allowed=allowed).with_columns(
        _holder=nw.col("_allowed").min().over("_audience", "_key")
    )
    is_second = nw.col("_allowed") != nw.col("_holder")
    second = nw.lit(f"same {names} as another profile of the audience")
    unique = held.with_columns(_reason=nw.when(is_second).then(second).otherwise(nw.col("_reason")))
    own = nw.concat_str(nw.lit("profile:"), nw.col("_profile_id").cast(nw.String))
    row_key = nw.when(nw.col("_reason").is_null()).then(nw.col("_key")).otherwise(own)
    return unique.with_columns(_row_key=row_key).drop("_key", "_allowed", "_holder")


def check_labels(destination: Destination, entity: Entity, columns: Mapping[str, str]) -> None:
    """Refuse a mapping that sends what the destination may not have.

    Parameters
    ----------
    destination
        Names the forbidden labels.
    entity
        Says which column has which labels.
    columns
        Column of each field.

    Raises
    ------
    ConfigError
        If a mapped column has a forbidden label.
    """
    for field, column in columns.items():
        labels = entity.fields[column].labels if column in entity.fields else ()
        for label in labels:
            if label in destination.forbidden_labels:
                raise ConfigError(
                    f"The column {column!r} is labelled {label}, which {destination.name!r} may not have.",
                    where=f"{destination.where}, mapping.{field}",
                    hint="Remove the field from `mapping`, or the label from `forbidden_labels`.",
                )


def _first(rules: Mapping[str, nw.Expr]) -> nw.Expr:
    reason = nw.lit(None, dtype=nw.String)
    for text, holds in reversed(list(rules.items())):
        reason = nw.when(holds).then(nw.lit(text)).otherwise(reason)
    return reason
