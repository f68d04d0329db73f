"""Records and ids → one row a profile."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity
from cdp_toolkit.profiles.policies import Origin, Policy, Rule

# Later is decided by the source's own time, then by when the record came here, then by its key: never by chance.
ORDER = ("updated_at", "loaded_at", "source_key")

UNITED = {"emails": "email", "ecids": "ecid"}
"""Columns of people that hold the values of all records, by column, with the namespace of each."""

# From https://github.com/adobe/xdm, consents: `y` and `n` are choices, `dy` and `dn` are assumed without one, `p` waits
# for an answer, `u` is unknown; the others are legal grounds besides consent. What is not listed ranks with those.
_STRICTER = ("y", "dy", "", "u", "p", "dn", "n")
_OTHER = _STRICTER.index("") + 1


def merge_records(
    records: Frame,
    ids: Frame,
    entity: Entity,
    engine: Engine,
    policy: Policy | None = None,
    *,
    identities: Frame | None = None,
) -> Frame:
    """Return one row per profile with the value of each column that the policy chooses.

    Parameters
    ----------
    records
        One row per record of the entity, as in ``entities/<entity>``.
    ids
        One row per record: ``source_key``, ``profile_id``, ``is_deleted``.
    entity
        The entity; its fields are the columns.
    engine
        Finds the latest values.
    policy
        Whose value is shown; the latest by default.
    identities
        One row per record and identity, ``source_key``, ``namespace`` and ``value``, of people: they then have ``emails``
        and ``ecids`` of these, every value that a record carries, in order; null where there is none.

    Returns
    -------
    Frame
        ``profile_id``, the entity's columns, ``source_keys`` (live records, in order) and ``records`` (how many).
    """

    def _merged(owned: Frame, *carried: Frame) -> Frame:
        golden = _chosen(owned, entity, engine, policy or Policy(), nw.col)
        keys = engine.distinct(owned, by="profile_id", column="source_key").rename({"source_key": "source_keys"})
        lists = keys.with_columns(records=nw.col("source_keys").list.len().cast(nw.Int64))
        united = {column: _united(identities, column, engine) for identities in carried for column in UNITED}
        for (
            listed
        ) in united.values():  # the lists first, which are narrow: each join copies all columns of the profiles
            lists = lists.join(listed, on="profile_id", how="left")
        own = [column for column in golden.collect_schema().names() if column not in united]
        profiles = golden.select(own).join(lists, on="profile_id", how="left")
        others = [column for column in entity.recorded if column not in united]
        return profiles.select("profile_id", *others, "source_keys", "records", *united)

    frames = [own_records(records, ids, engine)]
    if identities is not None:
        values = identities.filter(nw.col("namespace").is_in([*UNITED.values()])).select(
            "source_key", "namespace", "value"
        )
        frames.append(own_records(values, ids, engine, is_live=False).drop("source_key"))
    return engine.piecewise(frames, _merged, by="profile_id")


def own_records(records: Frame, ids: Frame, engine: Engine, *, is_live: bool = True) -> Frame:
    """Return records with the profile that each belongs to.

    Parameters
    ----------
    records
        Any rows with the ``source_key`` of a record.
    ids
        One row per record: ``source_key``, ``profile_id``, ``is_deleted``.
    engine
        Hashes the keys: a join on 64-bit keys touches no text, and stitching has checked that they are distinct.
    is_live
        Leave out records that are deleted.

    Returns
    -------
    Frame
        The rows of known records with ``profile_id``.
    """
    known = ids.filter(~nw.col("is_deleted")) if is_live else ids
    known = engine.key64(known.select("source_key", "profile_id"), {"_of": "source_key"}).select("_of", "profile_id")
    found = engine.look_up(engine.key64(records, {"_record": "source_key"}), known, on="_record", by="_of")
    return found.filter(~nw.col("profile_id").is_null()).drop("_record")


def merge_origins(records: Frame, ids: Frame, entity: Entity, engine: Engine, policy: Policy | None = None) -> Frame:
    """Return one row per profile with the record that each value comes from.

    Parameters
    ----------
    records, ids, entity, engine, policy
        As for ``merge_records``, which chooses by the same steps.

    Returns
    -------
    Frame
        ``profile_id``, and for each column of the entity a ``source_key``; null where no record has a value.
    """

    def _key(column: str) -> nw.Expr:
        return nw.when(~nw.col(column).is_null()).then(nw.col("source_key"))

    owned = own_records(records, ids, engine)
    return _chosen(owned, entity, engine, policy or Policy(), _key).select("profile_id", *entity.recorded)


def _chosen(owned: Frame, entity: Entity, engine: Engine, policy: Policy, value: Callable[[str], nw.Expr]) -> Frame:
    rules = {column: policy.rule(entity.name, column) for column in entity.recorded}
    owned = _strict(owned, rules)
    places = {f"_{name}": nw.col(name) for name in ORDER}
    chosen: Frame | None = None
    for origins, columns in _by_origins(rules):
        rank = {"_rank": _rank(origins)} if origins else {}
        rows = owned.select("profile_id", **rank, **places, **{column: value(column) for column in columns})
        part = engine.latest(rows, by="profile_id", order=[*rank, *places], columns=columns)
        chosen = part if chosen is None else chosen.join(part, on="profile_id", how="left")
    assert chosen is not None  # noqa: S101 - every entity has a field
    return chosen


def _by_origins(rules: Mapping[str, Rule]) -> Iterator[tuple[tuple[Origin, ...], list[str]]]:
    for origins in dict.fromkeys(rule.origins for rule in rules.values()):
        yield origins, [column for column, rule in rules.items() if rule.origins == origins]


def _rank(origins: Sequence[Origin]) -> nw.Expr:
    """Return how far ahead of all others a record is: 0 where its source is not listed."""
    rank = nw.lit(0)
    for ahead, origin in enumerate(reversed(origins), start=1):
        system = nw.lit(True) if origin.system is None else nw.col("source_type") == origin.system
        instance = nw.lit(True) if origin.instance is None else nw.col("source_instance") == origin.instance
        rank = nw.when(system & instance).then(nw.lit(ahead)).otherwise(rank)
    return rank


def _strict(owned: Frame, rules: Mapping[str, Rule]) -> Frame:
    """Blank the consents that a stricter answer of the same profile outweighs, with their reasons and times."""
    answers = [column for column, rule in rules.items() if rule.strictest]
    if not answers:
        return owned
    ranked = owned.with_columns(**{f"_strict_{column}": _strictness(column) for column in answers})
    least = ranked.with_columns(
        **{f"_least_{column}": nw.col(f"_strict_{column}").max().over("profile_id") for column in answers}
    )
    deciding = {column: rule.consent or column for column, rule in rules.items() if rule.strictest or rule.consent}
    return least.with_columns(
        **{
            column: nw.when(nw.col(f"_strict_{answer}") == nw.col(f"_least_{answer}")).then(nw.col(column))
            for column, answer in deciding.items()
        }
    )


def _strictness(column: str) -> nw.Expr:
    """Return how little an answer permits, from 1; 0 where nobody was asked."""
    answer = nw.col(column).str.to_lowercase()
    rank = nw.lit(_OTHER)
    for place, known in enumerate(_STRICTER, start=1):
        rank = nw.when(answer == known).then(nw.lit(place)).otherwise(rank)
    return nw.when(~nw.col(column).is_null()).then(rank).otherwise(nw.lit(0))


def _united(identities: Frame, column: str, engine: Engine) -> Frame:
    """Return all addresses or browsers of people, not the latest only."""
    values = identities.filter(nw.col("namespace") == UNITED[column]).select("profile_id", **{column: "value"})
    return engine.distinct(values, by="profile_id", column=column)
