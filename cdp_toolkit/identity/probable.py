"""Which profiles are probably one although no identity links them: pairs with a probability, by Splink.

What the linked records have in common teaches the model how records of one person differ; random pairs teach it how
records of two do. Nothing is drawn by chance without a seed, so the same records give the same pairs.
"""

from collections import Counter
from typing import Any

import pyarrow as pa

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.identity.likeness import Level, Likeness

_SEED = 7
_RANDOM_PAIRS = 5e6
_PAIRS = pa.schema({"one": pa.int64(), "other": pa.int64(), "probability": pa.float64(), "evidence": pa.string()})


def score_pairs(
    records: pa.Table, clusters: pa.Table, likeness: Likeness, *, at_least: float, missed: float
) -> pa.Table:
    """Find pairs of clusters that are probably one.

    Parameters
    ----------
    records
        One row per record: ``id``, its ``cluster``, and the columns that ``likeness`` names.
    clusters
        One row per cluster, with the same columns: what its records say together; ``id`` is its number.
    likeness
        What is compared.
    at_least
        Least probability of a pair.
    missed
        How many pairs that belong together the identities miss, as a share of those that they link.

    Returns
    -------
    pyarrow.Table
        One row per pair: ``one`` and ``other`` (numbers of clusters), ``probability``, and the ``evidence`` in words.

    Raises
    ------
    ConfigError
        If Splink is not installed.
    """
    splink = _splink()
    linked = _linked_pairs(records["cluster"].to_pylist())
    if not linked or len(clusters) < 2:
        return _PAIRS.empty_table()
    model = _train(splink, records, likeness)
    _fill(model, linked, min(_RANDOM_PAIRS, len(records) * (len(records) - 1) / 2))
    # Of the pairs that are left, the linked ones are gone.
    model["probability_two_random_records_match"] = missed * linked / (len(clusters) * (len(clusters) - 1) / 2)
    api = splink.DuckDBAPI()
    linker = splink.Linker(api.register(clusters, table_name="clusters"), model, log_level="ERROR")
    found = linker.inference.predict(threshold_match_probability=at_least, warning_mode="never")
    columns = ", ".join(f"{_words(name, levels)} AS said_{name}" for name, levels in likeness.comparisons.items())
    said = ", ".join(f"said_{name}" for name in likeness.comparisons)
    needed = " AND ".join(["true", *(f"gamma_{name} <> 0" for name in likeness.needed)])
    told = found.query_sql(
        f"SELECT least(id_l, id_r) AS one, greatest(id_l, id_r) AS other, match_probability AS probability, "  # noqa: S608 - our own names
        f"concat_ws(', ', {said}) AS evidence FROM (SELECT *, {columns} FROM {{this}}) WHERE {needed} ORDER BY ALL"
    )
    return told.as_pyarrow_table().select(_PAIRS.names).cast(_PAIRS)


def _splink() -> Any:
    try:
        import splink
    except ImportError as error:
        raise ConfigError(
            "Probable matches need Splink, which is not installed.",
            where="cdp.yaml, identity.probable",
            hint="Install the extra: pip install 'cdp-toolkit[matching]', or delete the setting.",
        ) from error
    return splink


def _linked_pairs(clusters: list[int]) -> int:
    return sum(size * (size - 1) // 2 for size in Counter(clusters).values())


def _train(splink: Any, records: pa.Table, likeness: Likeness) -> dict[str, Any]:
    """Return the model that random pairs and linked pairs teach."""
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=[_comparison(name, levels, likeness) for name, levels in likeness.comparisons.items()],
        blocking_rules_to_generate_predictions=[splink.block_on(*block) for block in likeness.blocks],
        additional_columns_to_retain=["cluster"],
    )
    api = splink.DuckDBAPI()
    linker = splink.Linker(api.register(records, table_name="records"), settings, log_level="ERROR")
    linker.training.estimate_u_using_random_sampling(max_pairs=_RANDOM_PAIRS, seed=_SEED)
    linker.training.estimate_m_from_label_column("cluster")
    model: dict[str, Any] = linker.misc.save_model_to_json()
    return model


def _fill(model: dict[str, Any], linked: int, random: float) -> None:
    """Take what was never seen for as rare as one more pair; what neither side saw says nothing."""
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            m, u = level.get("m_probability"), level.get("u_probability")
            once = 1 / (linked + 1)
            level["m_probability"] = m or once
            level["u_probability"] = u or (1 / random if m else once)


def _comparison(name: str, levels: list[Level], likeness: Likeness) -> Any:
    import splink.comparison_level_library as library
    from splink.comparison_library import CustomComparison

    columns = dict.fromkeys(level.column for level in levels)
    nothing = [library.NullLevel(column) for column in columns]
    degrees = [
        library.ExactMatchLevel(level.column, term_frequency_adjustments=level.column in likeness.rare)
        if level.likeness == 1
        else library.JaroWinklerLevel(level.column, level.likeness)
        for level in levels
    ]
    return CustomComparison(
        output_column_name=name, comparison_levels=[library.And(*nothing), *degrees, library.ElseLevel()]
    )


def _words(name: str, levels: list[Level]) -> str:
    """Return SQL for what a comparison found, in words; null where one side says nothing."""
    cases = [f"WHEN {len(levels) - place} THEN '{_quoted(level.words)}'" for place, level in enumerate(levels)]
    return f"CASE gamma_{name} {' '.join(cases)} WHEN 0 THEN 'another {name}' END"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
