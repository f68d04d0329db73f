"""Members with the values that a destination is to get."""

from collections.abc import Mapping

import narwhals as nw

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Connection, FindsRecords
from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity

_RECORD = "source_id"


def current_members(members: Frame, destination: Destination) -> Frame:
    """Return who is in a destination's audiences now.

    Parameters
    ----------
    members
        ``segments/membership``.
    destination
        Names the audiences.

    Returns
    -------
    Frame
        One row per audience and member: ``_audience``, ``_profile_id``.
    """
    is_in = nw.col("segment").is_in(destination.audiences) & (nw.col("status") == "realized")
    return members.filter(is_in).select(_audience="segment", _profile_id="profile_id")


def field_columns(destination: Destination, connection: Connection, profiles: Frame, entity: Entity) -> dict[str, str]:
    """Find the column of each field.

    Parameters
    ----------
    destination
        For the error.
    connection
        Says which fields are sent, and from where; ``source_id`` is the id of the record in the required source.
    profiles
        Profile table; its columns beyond the model, such as ``profile_id``, may be sent too.
    entity
        Knows the paths.

    Returns
    -------
    dict
        Column by field.

    Raises
    ------
    UnknownNameError
        If there is no such column or path; with the nearest names.
    """
    present = [*profiles.collect_schema().names(), *([_RECORD] if connection.requires_source else [])]
    return {
        field: name if name in present else entity.field(name, where=f"{destination.where}, mapping.{field}").name
        for field, name in connection.fields.items()
    }


def candidates(current: Frame, profiles: Frame, columns: Mapping[str, str], *, channel: str | None) -> Frame:
    """Give each member the values to send.

    Parameters
    ----------
    current
        See ``current_members``.
    profiles
        One row per profile.
    columns
        Column of each field.
    channel
        Marketing channel whose consent counts, if any.

    Returns
    -------
    Frame
        One row per audience and member, as ``gate.refuse`` takes it. ``_is_known`` is true: whether a required
        source knows the member is said by ``as_known``. Nobody is suppressed or held out: see ``peace``.
    """
    values = profiles.select(
        _owner=nw.col("profile_id"),
        _has_profile=nw.lit(True),
        _consent=nw.col(f"consent_{channel}") if channel else _nothing(),
        _consent_any=nw.col("consent_any") if channel else _nothing(),
        **{field: _value(profiles, column) for field, column in columns.items()},
    )
    found = current.join(values, left_on="_profile_id", right_on="_owner", how="left")
    return found.with_columns(
        _has_profile=nw.col("_has_profile").fill_null(False),
        _is_known=nw.lit(True),
        _record_id=_nothing(),
        _suppressed=_nothing(),
        _held_out=_nothing(),
    )


def known_identities(
    profiles: Frame, records: Frame, connection: Connection, columns: Mapping[str, str], engine: Engine
) -> Frame:
    """Find what the required source itself calls a profile.

    A destination that must not create anyone matches on the identity in its own record. The profile's may have come
    from another system and be new to it.

    Parameters
    ----------
    profiles
        One row per profile: ``profile_id``, ``source_keys`` and the columns of the identity.
    records
        One row per source record: ``source_key``, ``source_type``, ``source_instance``, ``source_id``, ``is_deleted``,
        ``updated_at`` and the columns of the identity.
    connection
        Names the source and the identity.
    columns
        Column of each field.
    engine
        Runs it.

    Returns
    -------
    Frame
        One row per profile with a live record in the source: ``_profile_id``, ``_is_known`` (true) and the fields
        of its identity there. Of several records the one that agrees with the profile wins, then the one changed
        last, or where the identity is ``source_id`` the one with the highest id. ``_record_id`` is the id of a record
        by which the connection may find the profile besides, see ``FindsRecords``.
    """
    identity = list(dict.fromkeys(columns[field] for field in connection.identity))
    is_live = (nw.col("source_type") == connection.requires_source) & ~nw.col("is_deleted")
    if connection.requires_instance is not None:
        is_live &= nw.col("source_instance") == connection.requires_instance
    of_source = records.filter(is_live)
    live = of_source.select("source_key", "updated_at", *identity)
    own = _nothing() if identity[0] == _RECORD else nw.col(identity[0])
    owned = profiles.select("profile_id", _own=own, source_key=nw.col("source_keys"))
    ranked = owned.explode("source_key").join(live, on="source_key", how="inner")
    agrees = (nw.col("_own") == nw.col(identity[0])).fill_null(False)
    ranked = ranked.with_columns(_agrees=agrees.cast(nw.Int64))
    # Of several ids the same one is taken each time, whichever record has changed since.
    order = ("_agrees", "source_key") if identity[0] == _RECORD else ("_agrees", "updated_at", "source_key")
    latest = engine.latest(ranked, by="profile_id", order=order, columns=identity)
    fields = {field: _single(latest, columns[field]) for field in connection.identity}
    known = latest.select(_profile_id=nw.col("profile_id"), _is_known=nw.lit(True), **fields)
    if not isinstance(connection, FindsRecords):
        return known.with_columns(_record_id=_nothing())
    ids = _record_ids(profiles, of_source, columns[connection.record_by])
    return known.join(ids, left_on="_profile_id", right_on="_owner", how="left")


def as_known(found: Frame, known: Frame, connection: Connection) -> Frame:
    """Put the identity that the required source has in the place of the profile's.

    Parameters
    ----------
    found
        See ``candidates``.
    known
        See ``known_identities``.
    connection
        Names the identity.

    Returns
    -------
    Frame
        The same rows; where ``_is_known`` is false the identity is null.
    """
    joined = found.drop("_is_known", "_record_id", *connection.identity).join(known, on="_profile_id", how="left")
    return joined.with_columns(_is_known=nw.col("_is_known").fill_null(False))


def digested(judged: Frame, fields: Mapping[str, str], engine: Engine) -> Frame:
    """Add the digest by which a change is noticed.

    Parameters
    ----------
    judged
        See ``gate.refuse``.
    fields
        Fields that are sent.
    engine
        Hashes.

    Returns
    -------
    Frame
        The same rows with ``_digest``, of the values that are sent or of the reason why none is.
    """
    values = nw.concat_str(*(nw.col(field).cast(nw.String).fill_null("\x1e") for field in fields), separator="\x1f")
    text = nw.when(nw.col("_reason").is_null()).then(values).otherwise(nw.col("_reason"))
    return engine.key64(judged.with_columns(_text=text), {"_digest": "_text"}).drop("_text")


def _record_ids(profiles: Frame, of_source: Frame, column: str) -> Frame:
    """Return an id for each profile with a record that has a value; of several ids always the same.

    The same id is another person in another instance, so that there are none where records are of several.
    """
    instances = of_source.group_by("source_type").agg(_instances=nw.col("source_instance").n_unique())
    found = of_source.filter(~_single(of_source, column).is_null()).select("source_key", "source_type", "source_id")
    sole = found.join(instances.filter(nw.col("_instances") == 1), on="source_type", how="semi")
    owned = profiles.select(_owner="profile_id", source_key="source_keys").explode("source_key")
    return owned.join(sole, on="source_key", how="inner").group_by("_owner").agg(_record_id=nw.col("source_id").max())


def _value(profiles: Frame, column: str) -> nw.Expr:
    return _nothing() if column == _RECORD else _single(profiles, column)  # said by ``as_known``


def _single(frame: Frame, column: str) -> nw.Expr:
    is_list = isinstance(frame.collect_schema()[column], nw.List)
    return nw.col(column).list.min() if is_list else nw.col(column)


def _nothing() -> nw.Expr:
    return nw.lit(None, dtype=nw.String)
