"""What a load and a stitch do, in pandas, for ``benchmarks/line.py``: the same mappings, kinds of value and tables.

A load keeps what came as text, maps it, cleans and types every value, sets rows with bad values aside, keeps the latest row
of each record, and lists the identities of each. It writes no logs and no origins, looks for no changes of shape, and is
begun anew each time. The patterns by which a value is judged are the toolkit's own.

A stitch makes every table of ``identity/`` and ``profiles/``, row for row: see ``pandas_identity`` and ``pandas_profiles``;
``pandas_check`` compares them with those of a lake. It needs pandas 3.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from cdp_toolkit.entities.columns import Columns, template_parts
from cdp_toolkit.entities.landed import LandedSource, json_path
from cdp_toolkit.entities.mapping import Conditions, Output, Value
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Entity, Field, types

Text = Any  # a pandas Series of text
Frame = Any  # a pandas DataFrame
TRUTH = dict.fromkeys(types._TRUE, True) | dict.fromkeys(types._FALSE, False)  # noqa: SLF001 - judged alike


def load(home: Path, out: Path, read: Callable[[Path], Frame]) -> dict[str, int]:
    """Load all exports of a workspace and return the rows of each table."""
    import pandas as pd

    from cdp_toolkit import Workspace

    workspace = Workspace(home)
    records: dict[str, list[Frame]] = {}
    rejected: list[Frame] = []
    for source, _ in workspace.sources.values():
        landed = {
            name: pd.concat([read(file) for file in files if file.stat().st_size], ignore_index=True)
            for name, files in _objects(home, source).items()
        }
        for name, rows in landed.items():
            rows.to_parquet(out / f"landing-{source.name}-{name}.parquet")
            for output in source.mapping.objects[name].outputs:
                entity = workspace.model.entity(output.entity)
                good, bad = _Delivery(source, rows, landed).records(output, entity)
                records.setdefault(entity.name, []).append(good)
                rejected.append(bad)
    counts = {"rejected": sum(map(len, rejected))}
    pd.concat(rejected).to_parquet(out / "rejected.parquet")
    told = []
    for name, several in records.items():
        latest = pd.concat(several, ignore_index=True).sort_values(
            "updated_at" if name != "event" else "timestamp", kind="stable"
        )
        latest = latest.drop_duplicates("source_key", keep="last")
        latest.to_parquet(out / f"{name}.parquet")
        counts[name] = len(latest)
        told += _identities(latest, workspace.model.entity(name))
    identities = pd.concat(told).groupby(["entity", "source_key", "namespace", "value"], as_index=False).max()
    spoken = identities["namespace"].str.cat(identities["value"], sep=":")
    for column, texts in (("record_key", identities["source_key"]), ("value_key", spoken)):
        identities[column] = pd.util.hash_pandas_object(texts, index=False).to_numpy()
    identities.to_parquet(out / "identities.parquet")
    return counts | {"identities": len(identities)}


def _objects(home: Path, source: LandedSource) -> dict[str, list[Path]]:
    folder, found = home / "exports" / source.name, {}
    for entry in sorted(folder.iterdir()):
        name = source.mapping.find(entry.name.split(".")[0])
        if name:
            found[name] = sorted(entry.iterdir()) if entry.is_dir() else [entry]
    return found


class _Delivery:
    """The rows of an object, with the values that a mapping speaks of."""

    def __init__(self, source: LandedSource, rows: Frame, landed: Mapping[str, Frame]) -> None:
        self.source, self.rows, self.landed = source, rows, landed
        self.columns = Columns(rows.columns)
        self._known: dict[str, Text | None] = {}
        self._parsed: dict[str, list[Any]] = {}

    def records(self, output: Output, entity: Entity) -> tuple[Frame, Frame]:
        """Return the records of an output, and its bad values."""
        import pandas as pd

        if output.when or output.each:
            kept = self.rows[self.holds(output.when)] if output.when else self.rows
            part = _Delivery(self.source, kept.reset_index(drop=True), self.landed)
            if output.each:
                part = part.exploded(output.each)
            return part.records(output.model_copy(update={"when": {}, "each": None}), entity)
        source_id = self.mapped(output.key)
        key = self.keyed(output.key, source_id)
        columns = {"source_key": key, "source_id": source_id}
        problems = [self._problem(key.isna(), "key", source_id, "no key")]
        deleted = output.deleted
        columns["is_deleted"] = self.holds(deleted) if isinstance(deleted, dict) else self.constant(deleted)
        for name, value in output.values(entity).items():
            field, raw = entity.fields[name], self.raw(value)
            if value.system == "crm" and self.source.suffix(value) is None:
                continue
            mapped = self.mapped(value, raw)
            columns[name] = self.typed(field, value, mapped)
            if field.type in types.REASONS:
                is_bad = mapped.notna() & columns[name].isna()
                problems.append(self._problem(is_bad, name, raw, types.REASONS[field.type]))
        found = pd.DataFrame(columns)
        problem = pd.concat(problems)
        costly = problem[problem["column"] != "email"].index
        if "updated_at" not in found:
            found["updated_at"] = pd.Series(pd.NaT, index=found.index, dtype="datetime64[us, UTC]")
        return found.drop(index=costly.unique()), problem.assign(entity=entity.name)

    def _problem(self, is_bad: Any, column: str, value: Text, reason: str) -> Frame:
        return value[is_bad].to_frame("value").assign(column=column, reason=reason)

    def exploded(self, each: str) -> "_Delivery":
        """Return a row for each element of a list."""
        found = self.columns.find(each)
        if found is None:
            return _Delivery(self.source, self.rows.iloc[:0], self.landed)
        listed = [json.loads(text) if text and text[0] == "[" else None for text in self.word(each)]
        rows = self.rows.assign(**{each: listed}).explode(each)
        rows = rows[rows[each].notna()].reset_index(drop=True)
        return _Delivery(self.source, rows.assign(**{each: rows[each].astype(str)}), self.landed)

    def word(self, word: str) -> Text | None:
        """Return the trimmed text of a column, a path in its JSON, or what is looked up."""
        if word not in self._known:
            self._known[word] = self._found(word)
        return self._known[word]

    def _found(self, word: str) -> Text | None:
        lookup = self.source.mapping.lookups.get(word)
        if lookup is not None:
            other, of = self.landed.get(lookup.object), self.word(lookup.of)
            if of is None:
                return None
            named = {} if other is None else dict(zip(other[lookup.key].astype(str), other[lookup.value], strict=True))
            return of.map(dict(lookup.default) | named).astype("str")
        place = self.columns.find(word)
        if place is None:
            return None
        column, path = place
        text = self.rows[column] if not path else self._inside(column, path)
        trimmed = text.astype("str").str.strip()
        return trimmed.mask(trimmed.isin(["", *self.source.mapping.nulls]))

    def _inside(self, column: str, path: str) -> Text:
        import pandas as pd

        if column not in self._parsed:
            self._parsed[column] = [
                json.loads(text) if isinstance(text, str) and text[:1] in "{[" else None for text in self.rows[column]
            ]
        steps = json_path(path)
        return pd.Series([_walk(value, steps) for value in self._parsed[column]], index=self.rows.index, dtype="str")

    def constant(self, value: Any) -> Any:
        """Return the same value for all rows."""
        import pandas as pd

        return pd.Series(value, index=self.rows.index, dtype="str" if value is None else None)

    def raw(self, value: Value) -> Text:
        """Return the text of a value before it is judged."""
        if value.const is not None:
            raw = self.constant(value.const)
        else:
            texts = [text for source in value.sources if (text := self._source(source)) is not None]
            raw = reduce(lambda one, other: one.fillna(other), texts) if texts else self.constant(None)
        return raw.where(self.holds(value.when)) if value.when else raw

    def _source(self, source: str) -> Text | None:
        if not template_parts(source):
            return self.word(source)
        parts = [self.word(part) for part in template_parts(source)]
        if any(part is None for part in parts):
            return None
        pieces = source.replace("}", "{").split("{")
        return reduce(
            lambda one, other: one + other, (self.word(piece) if i % 2 else piece for i, piece in enumerate(pieces))
        )

    def mapped(self, value: Value, raw: Text | None = None) -> Text:
        """Return what a text stands for."""
        raw = self.raw(value) if raw is None else raw
        judged = raw.str.lower().map(TRUTH).map({True: "true", False: "false"}) if value.kind == "boolean" else raw
        if not value.values:  # noqa: PD011 - of a mapping
            return judged
        meant = {given.lower(): each for given, each in value.values.items()}  # noqa: PD011 - of a mapping
        low = judged.astype("str").str.lower()
        return low.map(meant).where(low.isin(list(meant)), judged).astype("str")

    def keyed(self, value: Value, text: Text) -> Text:
        """Return keys of records."""
        return text if value.system == "whole" else text + self.source.suffix(value)

    def typed(self, field: Field, value: Value, text: Text) -> Any:  # noqa: PLR0911 - a case a kind
        """Return typed values, missing where a text is none of its kind."""
        import pandas as pd

        match field.type:
            case "key":
                return self.keyed(value, text)
            case "email":
                low = text.str.lower()
                return low.where(low.str.contains(types._EMAIL, regex=True, na=False))  # noqa: SLF001 - judged alike
            case "domain":
                host = text.str.lower().str.replace(r"^[a-z]+://|[/?#:].*$", "", regex=True).str.removeprefix("www.")
                return host.where(host.str.contains(types._DOMAIN, regex=True, na=False))  # noqa: SLF001
            case "integer" | "number" | "money":
                return pd.to_numeric(text.str.replace(r"[,\s$€£%]", "", regex=True), errors="coerce")
            case "boolean":
                return text.str.lower().map(TRUTH)
            case "timestamp" | "date":
                iso = text.str.replace(r"\s*(UTC|GMT)$", "Z", regex=True)
                return pd.to_datetime(iso, errors="coerce", utc=True, format="ISO8601").astype("datetime64[us, UTC]")
            case "strings" | "keys":
                suffix = "" if field.type == "strings" or value.system == "whole" else self.source.suffix(value)
                return pd.Series([_listed(each, suffix) for each in text], index=text.index, dtype=object)
            case _:
                return text

    def holds(self, conditions: Conditions) -> Any:
        """Return which rows fulfil all conditions."""
        found = self.constant(value=True)
        for column, wanted in conditions.items():
            text = self.word(column)
            if isinstance(wanted, bool):
                is_true = self.constant(value=False) if text is None else text.str.lower().map(TRUTH).eq(True)
                found &= is_true if wanted else ~is_true
            else:
                found &= False if text is None else text.str.lower().isin([each.lower() for each in wanted])
        return found


def _walk(value: Any, steps: tuple[str | int | None, ...]) -> str | None:
    for step in steps:
        if step is None:
            value = value if isinstance(value, list) else None
        elif isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _listed(text: Any, suffix: str | None) -> list[str] | None:
    if not isinstance(text, str):
        return None
    parts = json.loads(text) if text[:1] == "[" else [part.strip() for part in text.split(";")]
    return [f"{part}{suffix}" for part in parts if part != ""]


def _identities(records: Frame, entity: Entity) -> Iterator[Frame]:
    """Return what identifies records, a frame a namespace."""
    own = f"{entity.name}_key"
    if not any(field.namespace == own for field in entity.fields.values()):
        return
    seen = records[["source_key", "updated_at"]].rename(columns={"updated_at": "seen_at"})
    yield seen.assign(entity=entity.name, namespace=own, value=records["source_key"])
    for field in entity.recorded.values():
        if field.namespace and field.name in records:
            rows = records if field.namespace == own else records[~records["is_deleted"]]
            told = seen.loc[rows.index].assign(entity=entity.name, namespace=field.namespace, value=rows[field.name])
            told = told.explode("value") if field.type == "strings" else told
            yield told[told["value"].notna()]


def stitch(home: Path, out: Path, *, is_copied: bool = True) -> dict[str, int]:
    """Make the tables, write them and, if asked, copies of those in which rows are looked up; return the rows of each."""
    from pandas_tables import copy, write

    made = make(home, datetime.now(UTC))
    for folder in ("identity", "profiles"):
        (out / folder).mkdir()
    write(made, out)
    if is_copied:
        keys = {name: table(name).clustered_by for name in made}
        copy(made, {name: key for name, key in keys.items() if key}, out)
    return {name: len(rows) for name, rows in made.items()}


def make(home: Path, as_of: datetime) -> dict[str, Frame]:
    """Make all tables of ``identity/`` and ``profiles/`` from those of ``entities/``, as the first stitch of a lake does."""
    from line_peers import files_of
    from pandas_identity import identities
    from pandas_profiles import profiles
    from pandas_tables import read_table

    from cdp_toolkit import Workspace

    def read(name: str, columns: Sequence[str] | None = None) -> Frame:
        return read_table(files_of(home, f"entities/{name}"), columns and list(columns))

    workspace = Workspace(home)
    known = identities(read, workspace.settings.identity, workspace.model.namespaces, as_of)
    made = {f"identity/{name}": rows for name, rows in known.items()}
    return made | {f"profiles/{name}": rows for name, rows in profiles(read, known, workspace, as_of).items()}
