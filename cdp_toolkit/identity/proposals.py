"""Profiles that are probably one: proposed for a person to judge, or linked where the rules say so."""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules, Probable
from cdp_toolkit.identity.judgements import EPOCH
from cdp_toolkit.identity.likeness import LIKENESS, columns_of, describe
from cdp_toolkit.identity.links import link_records
from cdp_toolkit.identity.probable import score_pairs


def propose(entity: str, identities: Frame, records: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Propose profiles that no identity links and that are probably one.

    Parameters
    ----------
    entity
        ``person`` or ``account``.
    identities
        One row per record and identity, of this entity.
    records
        One row per record, as in its entity table.
    rules
        Which identities link, and what is proposed.
    engine
        Finds what is linked.

    Returns
    -------
    Frame
        One row per pair: ``entity``, ``one_key`` and ``other_key`` (a record of each profile), ``probability``,
        ``evidence``. None of a pair that people judged not to be the same.
    """
    wanted, likeness = rules.probable[entity], LIKENESS[entity]
    keyed = engine.key64(describe(entity, records, rules, engine), {"id": "source_key"})
    links = link_records(identities, rules, engine).kept
    found = engine.connected_components(links.select(a="record_key", b="hub_key"))
    placed = engine.materialise(
        keyed.join(found, left_on="id", right_on="node", how="left").with_columns(
            cluster=nw.coalesce("component", "id")
        )
    )
    names = columns_of(likeness)
    together = engine.latest(placed, by="cluster", order=["updated_at", "source_key"], columns=["source_key", *names])
    pairs = score_pairs(
        engine.collect(placed.select("id", "cluster", *names)),
        engine.collect(together.select("cluster", *names, id="cluster")),
        likeness,
        at_least=wanted.review_above,
        missed=wanted.missed,
    )
    keys = together.select("cluster", "source_key")
    named = engine.load(pairs)
    for side in ("one", "other"):
        named = named.join(keys, left_on=side, right_on="cluster", how="inner").rename({"source_key": f"{side}_key"})
    allowed = named.join(_apart(identities, placed), on=["one", "other"], how="anti")
    return allowed.select("one_key", "other_key", "probability", "evidence", entity=nw.lit(entity))


def probable_identities(proposals: Frame, wanted: Probable, engine: Engine) -> Frame:
    """Return proposals that are probable enough to be merged, as identities of the two records.

    Parameters
    ----------
    proposals
        Of ``propose``.
    wanted
        From which probability pairs are merged; never, if that is not said.
    engine
        Hashes.

    Returns
    -------
    Frame
        One row per record and proposal, in the namespace ``probable``, with the columns of ``entities/identities``.
    """
    least = 2.0 if wanted.merge_above is None else wanted.merge_above
    sure = proposals.filter(nw.col("probability") >= least)
    value = nw.concat_str([nw.col("one_key"), nw.col("other_key")], separator=" ~ ")
    sides = [
        sure.select("entity", source_key=side, namespace=nw.lit("probable"), value=value)
        for side in ("one_key", "other_key")
    ]
    spoken = nw.concat(sides).with_columns(_spoken=nw.concat_str(["namespace", "value"], separator=":"))
    keyed = engine.key64(spoken, {"record_key": "source_key", "value_key": "_spoken"}).drop("_spoken")
    # An identity that is worked out anew in each run is not newer than in the last one.
    return keyed.with_columns(seen_at=nw.lit(EPOCH).cast(nw.Datetime("us", "UTC")))


def decide(proposals: Frame, ids: Frame) -> Frame:
    """Say of each proposal whether its records became one profile.

    Parameters
    ----------
    proposals
        Of ``propose``, of one entity.
    ids
        One row per record: ``source_key``, ``profile_id``.

    Returns
    -------
    Frame
        With ``decision``: ``merged``, or ``review`` for a person to judge.
    """
    placed = proposals
    for side in ("one", "other"):
        own = ids.select(profile_id="profile_id", **{f"{side}_key": "source_key"})
        placed = placed.join(own, on=f"{side}_key", how="left").rename({"profile_id": f"{side}_id"})
    is_merged = nw.col("one_id") == nw.col("other_id")
    decision = nw.when(is_merged).then(nw.lit("merged")).otherwise(nw.lit("review"))
    return placed.select("entity", "one_key", "other_key", "probability", "evidence", decision=decision)


def _apart(identities: Frame, placed: Frame) -> Frame:
    """Return the pairs of clusters that people judged not to be the same, in both orders."""
    judged = identities.filter(nw.col("namespace") == "judged_apart")
    group = judged.select("source_key", group=nw.col("value").str.replace_all(r"\|.*$", ""))
    own = group.join(placed.select("source_key", "cluster"), on="source_key", how="inner").select("group", "cluster")
    both = own.join(own.rename({"cluster": "other"}), on="group", how="inner")
    return both.select("other", one="cluster")
