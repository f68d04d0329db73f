"""Who is refused and why. The first rule that holds gives the reason; no member is dropped without one."""

from collections.abc import Mapping

import narwhals as nw

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Connection, FindsRecords
from cdp_toolkit.destinations.policies import Policies, Usage
from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.model import Entity


def refuse(
    candidates: Frame, connection: Connection, *, channel: str | None, policies: Policies | None = None
) -> Frame:
    """Say of each member under which key it is sent, or why it is not.

    Parameters
    ----------
    candidates
        One row per audience and member: ``_audience``, ``_profile_id``, ``_has_profile``, ``_consent`` and
        ``_consent_any`` (``y``, ``n``, … or null), ``_is_known`` (to the source that the connection requires),
        ``_record_id`` (of a record there by which the connection finds a member, or null), ``_suppressed`` and
        ``_held_out`` (name of the list or group, or null), and the destination's fields.
    connection
        Says by which fields the destination knows someone.
    channel
        Marketing channel, for the reason; ``None`` if consent does not matter.
    policies
        Say which answers pass.

    Returns
    -------
    Frame
        The same rows with ``_reason`` (null if allowed) and ``_row_key``: the destination's own identity, else the
        record's id, or ``profile:<id>`` for a refused row.
    """
    key = nw.coalesce(*(nw.col(field).cast(nw.String) for field in connection.identity), nw.col("_record_id"))
    besides = [connection.record_by] if isinstance(connection, FindsRecords) else []
    names = " or ".join([*connection.identity, *besides])
    rules = {
        "has no profile any more": ~nw.col("_has_profile"),
        **_consents(channel, policies or Policies()),
        f"not known to {connection.requires_source}": ~nw.col("_is_known"),
        f"no {names}": key.is_null(),
    }
    listed = {"on the suppression list": "_suppressed", "held out in": "_held_out"}
    named = [
        nw.when(~nw.col(column).is_null()).then(nw.concat_str(nw.lit(f"{text} "), nw.col(column)))
        for text, column in listed.items()
    ]
    reason = nw.coalesce(named[0], _first(rules), named[1])
    judged = candidates.with_columns(_key=key, _reason=reason)
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


def check_labels(
    destination: Destination, entity: Entity, columns: Mapping[str, str], policies: Policies | None = None
) -> None:
    """Refuse a mapping that sends what the destination may not have.

    Parameters
    ----------
    destination
        Names its marketing actions, all of them if it names none, and labels that it may not have whatever it does.
    entity
        Says which column has which labels.
    columns
        Column of each field.
    policies
        What labels forbid, and labels beyond those of the model.

    Raises
    ------
    ConfigError
        If a mapped column has a label that may not be sent.
    UnknownNameError
        If there is no such marketing action; with the nearest names.
    """
    policies = policies or Policies()
    labels = {field: _labels(entity, column, policies) for field, column in columns.items()}
    for action in destination.marketing_actions:
        if action not in policies.actions:
            raise UnknownNameError(
                "marketing action", action, policies.actions, where=f"{destination.where}, marketing_actions"
            )
    for field, column in columns.items():
        for label in sorted(labels[field] & set(destination.forbidden_labels)):
            said = f"The column {column!r} is labelled {label}, which {destination.name!r} may not have."
            raise _forbidden(destination, field, said, "take the label off `forbidden_labels`")
    for usage in policies.usages:
        _check_usage(destination, usage, labels)


def _check_usage(destination: Destination, usage: Usage, labels: Mapping[str, set[str]]) -> None:
    shared = [each for each in usage.actions if each in (destination.marketing_actions or usage.actions)]
    sent = set().union(*labels.values())
    for denied in usage.deny if shared else ():
        together = {denied} if isinstance(denied, str) else set(denied)
        if together <= sent:
            field = next(field for field, own in labels.items() if own & together)
            said = f"{' with '.join(sorted(together))} may not be used for {shared[0]} ({usage.name})."
            cure = "name in `marketing_actions` what the destination is really for"
            raise _forbidden(destination, field, said, cure)


def _forbidden(destination: Destination, field: str, said: str, cure: str) -> ConfigError:
    where = f"{destination.where}, mapping.{field}"
    return ConfigError(said, where=where, hint=f"Remove the field from `mapping`, or {cure}.")


def _labels(entity: Entity, column: str, policies: Policies) -> set[str]:
    own = entity.fields[column].labels if column in entity.fields else ()
    return {*own, *policies.labels.get(entity.name, {}).get(column, ())}


def _consents(channel: str | None, policies: Policies) -> dict[str, nw.Expr]:
    if channel is None:
        return {}
    # The answer for a channel outweighs the one for any channel; unknown is no answer.
    said = [nw.when(nw.col(each) != "u").then(nw.col(each)) for each in ("_consent", "_consent_any")]
    answer = nw.coalesce(*said, nw.lit("none"))
    passes, values = policies.answers(channel)
    is_refused = ~answer.is_in(list(values)) if passes else answer.is_in(list(values))
    return {
        f"opted out of {channel}": answer.is_in(["n", "dn"]) & is_refused,
        f"no consent to {channel}": is_refused,
    }


def _first(rules: Mapping[str, nw.Expr]) -> nw.Expr:
    reason = nw.lit(None, dtype=nw.String)
    for text, holds in reversed(list(rules.items())):
        reason = nw.when(holds).then(nw.lit(text)).otherwise(reason)
    return reason
