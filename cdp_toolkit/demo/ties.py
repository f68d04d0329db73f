"""Which records of one person the exports tie together: by any value that two of them share."""

from collections.abc import Iterator

import polars as pl

from cdp_toolkit.demo.dirt import Tables
from cdp_toolkit.demo.keys import MARKETO, SALESFORCE, source_keys
from cdp_toolkit.demo.records import PLACEHOLDER
from cdp_toolkit.engines.components import components

_LOCAL_DIGITS = 7  # of a phone: the same in every notation


def tied_ids(records: pl.DataFrame, exports: Tables) -> pl.Series:
    """Return numbers of the people under which records that no value of the exports ties have different ones.

    Parameters
    ----------
    records
        One row a record: ``source_key``, ``true_id``.
    exports
        Rows of every source, in the vendors' columns.

    Returns
    -------
    polars.Series
        The ``true_id`` for the records that hang on the person's first one, negative numbers for the others. A tie is a
        shared e-mail address (tags and capitals aside), phone (in any notation), browser, id of the CRM or merge.
    """
    numbered = records.with_row_index("record").with_columns(pl.col("record").cast(pl.Int64))
    told = pl.concat(_values(exports)).drop_nulls("value").unique()
    owned = numbered.join(told, on="source_key", maintain_order="left")
    edges = owned.select("record", hub=pl.col("record").min().over("true_id", "kind", "value"))
    nodes, roots = components(edges["record"].to_numpy(), edges["hub"].to_numpy())
    found = numbered.join(
        pl.DataFrame({"record": nodes, "root": roots}), on="record", how="left", maintain_order="left"
    )
    root = pl.coalesce("root", "record")
    is_main = root == root.min().over("true_id")
    return found.select(linkable_id=pl.when(is_main).then("true_id").otherwise(-1 - root)).to_series()


def _values(exports: Tables) -> Iterator[pl.DataFrame]:
    """Say what each record says, as ``source_key``, ``kind`` and ``value``."""
    leads, crm = exports["marketo"]["leads"], exports["salesforce"]
    yield from _of(leads, "id", MARKETO, email="email", phone="phone")
    yield _keys(leads, "id", MARKETO, leads["sfdcContactId"], SALESFORCE)
    yield _keys(leads, "id", MARKETO, leads["sfdcLeadId"], SALESFORCE)
    browsers = leads.select(source_key=source_keys(leads["id"], MARKETO), value=pl.col("ecids").str.split(";"))
    yield browsers.explode("value").select("source_key", kind=pl.lit("ecid"), value="value")
    merges = exports["marketo"]["activities"].filter(pl.col("activityTypeId") == 32)
    yield _keys(merges, "leadId", MARKETO, merges["attributes"].str.extract(r'"\[(\d+)\]"'), MARKETO)
    for name in ("Contact", "Lead"):
        yield from _of(crm[name], "Id", SALESFORCE, email="Email", phone="Phone")
    yield _keys(crm["Contact"], "Id", SALESFORCE, crm["Contact"]["MasterRecordId"], SALESFORCE)
    yield _keys(crm["Lead"], "Id", SALESFORCE, crm["Lead"]["ConvertedContactId"], SALESFORCE)


def _of(rows: pl.DataFrame, key: str, instance: str, *, email: str, phone: str) -> Iterator[pl.DataFrame]:
    keys = source_keys(rows[key], instance)
    address = pl.col(email).str.strip_chars().str.to_lowercase().str.replace(r"\+[^@]*", "")
    is_address = address.str.contains("@", literal=True) & (address != PLACEHOLDER)
    digits = pl.col(phone).str.replace_all(r"\D", "").str.tail(_LOCAL_DIGITS)
    yield rows.select(source_key=keys, kind=pl.lit("email"), value=pl.when(is_address).then(address))
    yield rows.select(source_key=keys, kind=pl.lit("phone"), value=digits)
    yield rows.select(source_key=keys, kind=pl.lit("key"), value=keys)


def _keys(rows: pl.DataFrame, key: str, instance: str, named: pl.Series, of: str) -> pl.DataFrame:
    return rows.select(
        source_key=source_keys(rows[key], instance), kind=pl.lit("key"), value=source_keys(named, of)
    )  # fmt: skip
