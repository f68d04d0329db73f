"""Every table of the lake, once: its name, what a row is, its key, its columns and who writes it.

``landing/<source>/<object>``, ``entities/<entity>`` and ``profiles/<entity>`` take their columns from what was
delivered and from the model; all others are listed here. Types are the names of ``cdp_toolkit.model.types``
(``text`` for any string), which every engine maps to its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model

# What every record carries besides the columns of its entity.
RECORD_COLUMNS = {
    "source_key": "text",  # id@instance.type, the key
    "source_type": "text",
    "source_instance": "text",
    "source_id": "text",
    "is_deleted": "boolean",
    "loaded_at": "timestamp",
}


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Parameters
    ----------
    name
        Folder and name.
    row
        What a row is.
    written_by
        Verb of the run that writes it.
    key
        Columns that no two rows share.
    columns
        Type name by column; empty where the model or the delivery decides.
    clustered_by
        Column by which rows lie together on disk, so that some of its values are read without the rest; None where
        they lie as they come.
    is_packed
        Whether it holds many profiles in a row, as bits; it is read as one row a profile all the same.
    changed_by
        Columns by whose values rows are replaced; by default the entity and that by which they lie together.
    """

    name: str
    row: str
    written_by: str
    key: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    clustered_by: str | None = None
    is_packed: bool = False
    changed_by: tuple[str, ...] = ()

    @property
    def replaced_by(self) -> tuple[str, ...]:
        """Columns by whose values rows are replaced; none where a table is only written as a whole."""
        if self.changed_by or self.clustered_by is None:
            return self.changed_by
        return (*(each for each in ("entity",) if each in self.columns), self.clustered_by)


_TABLES = (
    Table("landing/_fields", "a field of a source that was new, vanished or got another type, as the source describes it", "load",
          ("source", "object", "field", "seen_at"),
          {"source": "text", "object": "text", "field": "text", "change": "text", "type": "text", "previous": "text",
           "seen_at": "timestamp"}),
    Table("entities/_rejected", "a value that could not be taken, alone or with its row", "load",
          ("source", "object", "file", "line", "column"),
          {"source": "text", "object": "text", "file": "text", "line": "integer", "entity": "text", "column": "text",
           "value": "text", "reason": "text", "rejected_at": "timestamp"}),
    Table("entities/identities", "an identity that a record carries", "load", ("source_key", "namespace", "value"),
          {"entity": "text", "source_key": "text", "record_key": "integer", "namespace": "text", "value": "text",
           "value_key": "integer", "seen_at": "timestamp"}),
    Table("entities/merges", "a record that a source merged into another", "load", ("entity", "value"),
          {"entity": "text", "source_key": "text", "value": "text", "seen_at": "timestamp"}),
    Table("entities/changes", "a record that came, changed or left, or whose identities did, since all was last read anew", "load",
          ("entity", "source_key"), {"entity": "text", "source_key": "text"}),
    Table("identity/evidence", "an identity of a record in the form that is compared, or the reason why it identifies nobody", "stitch",
          ("source_key", "namespace", "value"),
          {"entity": "text", "source_key": "text", "record_key": "integer", "namespace": "text", "value": "text",
           "value_key": "integer", "seen_at": "timestamp", "reason": "text"}, clustered_by="record_key"),
    Table("identity/links", "a record and the first record with the same identity", "stitch",
          ("entity", "record_key", "value_key"),
          {"entity": "text", "record_key": "integer", "hub_key": "integer", "namespace": "text", "value_key": "integer"}, clustered_by="record_key"),
    Table("identity/refused_links", "an identity that does not link its record, with the reason", "stitch",
          ("entity", "source_key", "namespace", "value"),
          {"entity": "text", "source_key": "text", "record_key": "integer", "namespace": "text", "value": "text",
           "value_key": "integer", "reason": "text", "kind": "text"}, clustered_by="record_key"),
    *(
        Table(f"identity/{entity}_ids", f"a record of {entity} and the profile it belongs to", "stitch",
              ("source_key",),
              {"source_key": "text", "record_key": "integer", "profile_id": "integer", "is_deleted": "boolean",
               "since": "timestamp"}, clustered_by="record_key")
        for entity in ("person", "account", "opportunity", "campaign", "marketing_list")
    ),
    Table("identity/clusters", "a record and the records that it could be one with, had no link been refused", "stitch",
          ("entity", "record_key"),
          {"entity": "text", "record_key": "integer", "cluster": "integer"}, clustered_by="record_key"),
    Table("identity/members", "a record and the cluster that it is in, in the order of clusters", "stitch",
          ("entity", "record_key"),
          {"entity": "text", "cluster": "integer", "record_key": "integer"}, clustered_by="cluster"),
    Table("identity/carriers", "an identity that a record carries, in the order of identities", "stitch",
          ("entity", "value_key", "record_key"),
          {"entity": "text", "value_key": "integer", "record_key": "integer", "namespace": "text", "check": "integer",
           "instance": "text"}, clustered_by="value_key", changed_by=("entity", "value_key", "record_key")),
    Table("identity/proposals", "two profiles that are probably one, each named by a record", "stitch",
          ("entity", "one_key", "other_key"),
          {"entity": "text", "one_key": "text", "other_key": "text", "probability": "number", "evidence": "text",
           "decision": "text"}),
    Table("identity/spellings", "an identity as a record wrote it, where that differs", "stitch",
          ("entity", "namespace", "value"),
          {"entity": "text", "namespace": "text", "value": "text", "value_key": "integer", "canonical_key": "integer"}),
    Table("identity/aliases", "a profile id that was given up, and the profile it means now", "stitch",
          ("entity", "alias_id"),
          {"entity": "text", "alias_id": "integer", "profile_id": "integer", "since": "timestamp"}, changed_by=("entity", "alias_id")),
    Table("identity/history", "a profile that was merged, split, took records over or is gone", "stitch",
          ("entity", "profile_id", "other_id", "changed_at"),
          {"entity": "text", "profile_id": "integer", "change": "text", "other_id": "integer", "because": "text",
           "changed_at": "timestamp"}),
    Table("identity/identities", "an identity and the profile it belongs to", "stitch",
          ("entity", "namespace", "value"),
          {"entity": "text", "namespace": "text", "value": "text", "value_key": "integer", "profile_id": "integer"}, changed_by=("entity", "value_key")),
    Table("identity/account_matches", "a person without an account and the account that most speaks for", "stitch",
          ("profile_id",),
          {"profile_id": "integer", "account_id": "integer", "score": "number", "evidence": "text",
           "runner_up_id": "integer", "runner_up_score": "number", "is_matched": "boolean", "reason": "text",
           "matched_at": "timestamp"}),
    Table("profiles/person_account", "a person and an account they work for", "stitch", ("profile_id", "account_id"),
          {"profile_id": "integer", "account_id": "integer"}, clustered_by="profile_id"),
    Table("profiles/account_account", "an account and an account related to it, with the reason", "stitch",
          ("account_id", "related_id"), {"account_id": "integer", "related_id": "integer", "reason": "text"}),
    Table("profiles/account_descendant", "an account and an account below it", "stitch", ("account_id", "descendant_id"),
          {"account_id": "integer", "descendant_id": "integer", "levels": "integer"}),
    Table("profiles/account_cycle", "an account that is its own ancestor", "stitch", ("profile_id",),
          {"profile_id": "integer", "account_name": "text", "parent_id": "integer", "cycle_id": "integer"}),
    Table("profiles/large_account_group", "what too many accounts share to relate them all", "stitch",
          ("reason", "value"), {"reason": "text", "value": "text", "accounts": "integer"}),
    Table("segments/membership", "a profile that is or was in a segment", "evaluate", ("segment", "profile_id"),
          {"segment": "text", "entity": "text", "profile_id": "integer", "status": "text",
           "first_qualified_at": "timestamp", "last_qualified_at": "timestamp", "exited_at": "timestamp"},
          is_packed=True),
    Table("segments/history", "a profile that entered or left a segment", "evaluate",
          ("segment", "profile_id", "changed_at"),
          {"segment": "text", "entity": "text", "profile_id": "integer", "change": "text", "changed_at": "timestamp"},
          is_packed=True),
    Table("segments/numbering", "a stretch of the numbers that the bits of packed tables stand for", "evaluate",
          ("entity", "bucket", "start"),
          {"entity": "text", "bucket": "integer", "start": "integer", "ids": "binary"}),
    Table("activation/attempts", "a row about to be handed to a destination, written before it is", "activate",
          ("destination", "audience", "row_key", "entry"),
          {"destination": "text", "audience": "text", "row_key": "text", "profile_id": "integer", "action": "text",
           "digest": "integer", "plan_id": "text", "batch": "text", "entry": "integer", "at": "timestamp"}),
    Table("activation/ledger", "what became of a row that was sent, refused or failed, with the reason", "activate",
          ("destination", "audience", "row_key", "entry"),
          {"destination": "text", "audience": "text", "row_key": "text", "profile_id": "integer", "action": "text",
           "outcome": "text", "reason": "text", "digest": "integer", "known_as": "text", "plan_id": "text",
           "batch": "text", "entry": "integer", "at": "timestamp"}),
    Table("runs", "a verb that ran", "every verb", ("run_id",),
          {"run_id": "text", "verb": "text", "outcome": "text", "started_at": "timestamp", "seconds": "number",
           "counts": "text", "details": "text", "problems": "text", "read": "text", "written": "text",
           "definitions": "text"}),
)  # fmt: skip

TABLES = {table.name: table for table in _TABLES}


def table(name: str, model: Model | None = None) -> Table:
    """Return what is known of a table.

    Parameters
    ----------
    name
        Folder and name, such as ``profiles/person``.
    model
        The model that the entity and profile tables follow; the standard one by default.

    Returns
    -------
    Table
        Name, row, writer, key and columns.

    Raises
    ------
    UnknownNameError
        If the lake has no such table.
    """
    if name in TABLES:
        return TABLES[name]
    model = model or Model.standard()
    folder, _, last = name.partition("/")
    last, _, policy = last.partition("@")  # profiles under a further merge policy have its name behind theirs
    if folder == "landing" and "/" in last:
        return Table(name, f"a row of {last.partition('/')[2]} as delivered", "load", ("_batch", "_file", "_line"))
    if folder == "entities" and last in model.recorded and not policy:
        recorded: dict[str, str] = {field.name: field.type for field in model.entities[last].recorded.values()}
        row = f"a record of {model.entities[last].label} in its source"
        return Table(name, row, "load", ("source_key",), RECORD_COLUMNS | recorded)
    if folder == "profiles" and last in model.entities:
        own: dict[str, str] = {field.name: field.type for field in model.entities[last].fields.values()}
        key = ("profile_id",) if _is_profile(last) else ("source_key",)
        return Table(name, f"one {model.entities[last].label}", "stitch", key, own, clustered_by="profile_id")
    known = [
        *TABLES,
        *(f"entities/{entity}" for entity in model.recorded),
        *(f"profiles/{each}" for each in model.entities),
    ]
    raise UnknownNameError("table", name, known)


def _is_profile(entity: str) -> bool:
    return f"identity/{entity}_ids" in TABLES
