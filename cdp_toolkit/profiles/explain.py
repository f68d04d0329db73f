"""Why a profile shows the value that it shows: whose value it is, by which rule, and what other records say."""

from collections.abc import Mapping

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity
from cdp_toolkit.profiles.merge import ORDER, UNITED, merge_origins
from cdp_toolkit.profiles.page import text
from cdp_toolkit.profiles.policies import Policy

_EARLIEST = ""


def origins(
    records: Frame, ids: Frame, entity: Entity, engine: Engine, *, profile_id: int, policy: Policy | None = None
) -> list[dict[str, object]]:
    """Return where each value of one profile came from.

    Parameters
    ----------
    records
        One row per record of the entity, as in ``entities/<entity>``.
    ids
        One row per record: ``source_key``, ``profile_id``, ``is_deleted``.
    entity
        The entity.
    engine
        Reads the records.
    profile_id
        The profile.
    policy
        Whose value is shown; the latest by default.

    Returns
    -------
    list of dict
        One per column that has a value: ``column``, ``value``, ``source_key``, ``updated_at``, ``rule`` of the policy
        that decided and ``others`` (different values of other records, latest first). Columns that hold the values of
        all records, such as ``ecids``, are left out.
    """
    policy = policy or Policy()
    own = ids.filter(nw.col("profile_id") == profile_id)
    live = own.filter(~nw.col("is_deleted")).select("source_key")
    held = engine.load(engine.collect(records.join(live, on="source_key", how="inner")))
    found = engine.collect(held).to_pylist()
    found.sort(key=lambda record: [str(record[name] or _EARLIEST) for name in ORDER], reverse=True)
    by_key = {record["source_key"]: record for record in found}
    winners = engine.collect(merge_origins(held, own, entity, engine, policy)).to_pylist()
    shown = []
    for column in entity.recorded:
        winner = by_key.get(winners[0][column]) if winners and column not in UNITED else None
        if winner is not None:
            said = [value for record in found if (value := record[column]) is not None and value != winner[column]]
            shown.append(
                {"column": column, "value": winner[column], "source_key": winner["source_key"],
                 "updated_at": winner["updated_at"], "rule": str(policy.rule(entity.name, column)),
                 "others": list(dict.fromkeys(map(text, said)))}
            )  # fmt: skip
    return shown


def derived_origins(values: Mapping[str, object], entity: Entity) -> list[dict[str, object]]:
    """Return how the values are made that no single record carries.

    Parameters
    ----------
    values
        Value by column of one profile.
    entity
        The entity.

    Returns
    -------
    list of dict
        As ``origins``, without a record; the rule says what the value is made of.
    """
    how = {field.name: field.derived for field in entity.fields.values() if field.derived}
    how |= dict.fromkeys(UNITED, "collected from all records")
    return [
        {"column": column, "value": values[column], "source_key": None, "updated_at": None, "rule": rule, "others": []}
        for column, rule in how.items()
        if values.get(column) is not None
    ]
