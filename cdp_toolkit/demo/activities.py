"""What leads did and what was done to them, as Marketo logs it.

An activity is a lead, a time and a *variant*: everything else that Marketo writes depends on the variant alone (page
and browser, mailing, program and status, …). So millions of activities are numbers, and their texts are made once a
variant and looked up at the end.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import MOMENT

TYPES = {
    1: "Visit Webpage", 2: "Fill Out Form", 3: "Click Link", 6: "Send Email", 7: "Email Delivered",
    8: "Email Bounced", 9: "Unsubscribe Email", 10: "Open Email", 11: "Click Email", 12: "New Lead",
    13: "Change Data Value", 22: "Change Score", 24: "Add to List", 25: "Remove from List", 32: "Merge Leads",
    37: "Delete Lead", 46: "Interesting Moment", 104: "Change Status in Progression",
}  # fmt: skip

VARIANT = pl.Schema({
    "activityTypeId": pl.Int64(), "campaignId": pl.Int64(), "primaryAttributeValueId": pl.Int64(),
    "primaryAttributeValue": pl.String(), "attributes": pl.String(), "weight": pl.Float64(),
})  # fmt: skip
ACTION = pl.Schema({"lead": pl.Int64(), "at": MOMENT, "variant": pl.Int64()})


@dataclass(frozen=True)
class Activities:
    """Actions of one kind.

    Parameters
    ----------
    actions
        One row an activity: ``lead``, ``at``, ``variant`` (row of ``variants``).
    variants
        One row a variant, in Marketo's column names.
    """

    actions: pl.DataFrame
    variants: pl.DataFrame


def variants(rows: Iterable[Sequence[object]]) -> pl.DataFrame:
    """Make the table of variants.

    Parameters
    ----------
    rows
        Type, campaign, value id, value, attributes and weight (how often it happens) of each.

    Returns
    -------
    polars.DataFrame
        One row a variant, in Marketo's column names; attributes as JSON.
    """
    return pl.DataFrame([(*row[:4], json.dumps(row[4]), row[5]) for row in rows], schema=VARIANT, orient="row")


def log(parts: Sequence[Activities]) -> pl.DataFrame:
    """Put all activities in order of time and write each in Marketo's columns.

    Parameters
    ----------
    parts
        Activities, a kind each.

    Returns
    -------
    polars.DataFrame
        One row an activity: the columns of Marketo's bulk extract, all but the id of lead, type and value as text.
    """
    offsets = np.cumsum([0, *(part.variants.height for part in parts)])
    actions = pl.concat([
        part.actions.select(ACTION.names()).cast(ACTION).with_columns(variant=pl.col("variant") + int(offset))
        for part, offset in zip(parts, offsets, strict=False)
    ]).sort("at", "lead", "variant")  # fmt: skip
    texts = pl.concat([part.variants.drop("weight") for part in parts])[actions["variant"]]
    return pl.DataFrame({
        "marketoGUID": pl.arange(0, actions.height, eager=True) + 700_000_001,
        "leadId": actions["lead"],
        "activityDate": actions["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }).hstack(texts)  # fmt: skip
