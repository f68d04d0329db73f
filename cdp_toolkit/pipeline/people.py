"""The steps of a stitch that make rows of people: only of those who may be others now."""

from collections.abc import Collection, Iterator
from functools import cached_property, partial

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.identity.matching import MATCHED_FROM
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.pipeline.changed import changed_records, remapped
from cdp_toolkit.profiles.build import Scan, Step
from cdp_toolkit.profiles.relations import REFERENCES

_IDS, _RECORDS = "identity/person_ids", "entities/person"
_OF_RECORDS = (_RECORDS, "entities/identities")
_OF_PEOPLE = (_IDS, *_OF_RECORDS, "identity/identities")
_MADE = ("person", "person_component")
_MOST_CHANGED = 0.3  # of more people, making all rows anew is as quick


class People:
    """Which people may have other rows than when the last stitch ran; to be asked once it has said which records are one.

    Parameters
    ----------
    run
        The stitch that is on.
    lake
        Shows ``identity/`` as it was.
    is_held
        Whether profiles are given to ``held`` instead of being written, since something is yet to be computed of them.
    """

    def __init__(self, run: OpenRun, lake: Lake, *, is_held: bool) -> None:
        self._run, self._lake, self._engine, self._is_held = run, lake, lake.engine, is_held
        self.held: dict[str, Frame] = {}

    def make(self, step: Step, read: Collection[str]) -> bool:
        """Make the rows of those who changed, if those of all others are as they were.

        Parameters
        ----------
        step
            Makes a table of the records of people.
        read
            Tables that it reads.

        Returns
        -------
        bool
            False if the table is to be made anew.
        """
        name = step.names[0].partition("@")[0]
        table, people = f"profiles/{step.names[0]}", self.alone(read) if name in _MADE else None
        if people is None or not self._run.exists(table):
            return False
        (rows,) = step.make(among_people(self._run.scan, people, self._engine))
        if (laid := renew(self._run.scan(table), rows, people, self._engine)) is not None:
            self.write(table, laid)
        return True

    def write(self, table: str, rows: Frame, *, is_dear: bool = False) -> None:
        """Write a table, or hold its rows.

        Parameters
        ----------
        table
            A table of ``profiles/``.
        rows
            All its rows.
        is_dear
            Run them once, if they are held: they are read again for each computed attribute.
        """
        if table.removeprefix("profiles/").partition("@")[0] == "person" and self._is_held:
            self.held[table] = self._run.set_aside(rows) if is_dear else rows
        else:
            self._run.replace(table, rows)

    @cached_property
    def changed(self) -> Frame | None:
        """Who has other records, or of whose records any is another one: ``profile_id``, run; None if all are to be looked at."""
        run, engine, moved = self._run, self._engine, self.moved
        told, before = changed_records(run, engine), run.version_before(_IDS)
        if told is None or moved is None or before is None:
            return None
        keys = [told.filter(nw.col("entity") == "person").select("source_key"), *self._referring(moved)]
        records = engine.key64(nw.concat(keys).unique(), {"record_key": "source_key"}).select("record_key")
        records = engine.materialise(records)
        found = [run.find(_IDS, records), self._lake.find(_IDS, records), *(run.differing(_IDS, before) or ())]
        found.append(moved.filter(nw.col("entity") == "person"))
        people = engine.materialise(nw.concat([frame.select("profile_id") for frame in found]).unique())
        return people if rows_of(people, engine) <= _MOST_CHANGED * run.rows("profiles/person") else None

    def alone(self, tables: Collection[str]) -> Frame | None:
        """Return who changed, if nothing else of some tables did.

        Parameters
        ----------
        tables
            What rows of people are made of.

        Returns
        -------
        Frame or None
            As ``changed``; None if rows of others may be other ones, too.
        """
        return None if self._run.is_changed(*{*tables} - {*_OF_PEOPLE}) else self.changed

    def without_accounts(self) -> Frame | None:
        """Return who changed, if nothing is new of accounts: then it is for no one else to be matched to another one.

        Returns
        -------
        Frame or None
            As ``changed``.
        """
        moved, people = self.moved, self.alone(MATCHED_FROM)
        is_new = moved is None or rows_of(moved.filter(nw.col("entity") == "account"), self._engine)
        return None if is_new else people

    @cached_property
    def moved(self) -> Frame | None:
        """The identities, of all entities, that mean another profile; see ``remapped``."""
        return remapped(self._run, self._engine)

    def _referring(self, moved: Frame) -> Iterator[Frame]:
        """Return the records that name something which has another id now."""
        engine, fields = self._engine, self._lake.model.entity("person").fields
        values = engine.materialise(moved.filter(nw.col("entity") != "person").select("value_key").unique())
        for column in REFERENCES if rows_of(values, engine) else ():
            if column in fields and fields[column].to is not None:
                text = nw.concat_str([nw.lit(f"{fields[column].to}_key:"), nw.col(column)])
                told = self._run.scan(_RECORDS).select("source_key", _text=text).filter(~nw.col("_text").is_null())
                hashed = engine.key64(told, {"value_key": "_text"})
                yield engine.materialise(engine.among(hashed, "value_key", values)).select("source_key")


def among_people(scan: Scan, people: Frame, engine: Engine) -> Scan:
    """Return what scans the records of some people only, and all other tables whole.

    Parameters
    ----------
    scan
        Scans any table.
    people
        ``profile_id``, run.
    engine
        Filters.

    Returns
    -------
    callable
        Scans a table by its name.
    """
    ids = engine.materialise(engine.among(scan(_IDS), "profile_id", people))
    few = {name: partial(engine.among, scan(name), "source_key", ids) for name in _OF_RECORDS}
    return lambda name: ids if name == _IDS else few[name]() if name in few else scan(name)


def renew(known: Frame, rows: Frame, people: Frame, engine: Engine) -> Frame | None:
    """Lay rows of some people in the place of those that a table has of them.

    Parameters
    ----------
    known
        The table: rows of a ``profile_id``.
    rows
        All rows that these people have from now on.
    people
        ``profile_id``, run.
    engine
        Filters.

    Returns
    -------
    Frame or None
        All rows of the table; columns that ``rows`` lack are null there. None where they are what they were.
    """
    was, now = engine.collect(engine.among(known, "profile_id", people)), engine.collect(rows)
    if _sorted(was.select(now.column_names), now.schema).equals(_sorted(now, now.schema)):
        return None
    columns = known.collect_schema()
    told = [
        nw.col(name) if name in now.column_names else nw.lit(None).cast(columns[name]).alias(name) for name in columns
    ]
    laid = engine.load(now).select(*told)
    return nw.concat([known.join(people, on="profile_id", how="anti"), laid])


def _sorted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    keys = [name for name in ("profile_id", "source_key", "account_id") if name in schema.names]
    return rows.cast(schema).sort_by([(key, "ascending") for key in keys]).combine_chunks()
