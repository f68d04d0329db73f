"""A thousand audiences, each the same in PQL, SQL, Polars and pandas, for ``benchmarks/segments.py``.

A rule is made of facts. A fact is a set of people: by an attribute, by events in a window, by an account, by the deals
of an account, by a role on a deal. Rules combine facts and other rules by and, or and not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

from segments_world import AS_OF, COUNTRIES, DEPARTMENTS, INDUSTRIES, PAGES, ROLES, SOURCES, TYPES, cycle

if TYPE_CHECKING:
    import polars as pl

_NOW = f"TIMESTAMPTZ '{AS_OF:%Y-%m-%d %H:%M:%S}+00'"


@dataclass(frozen=True)
class Attribute:
    """People with ``column operator value``."""

    column: str
    operator: str
    value: str | float | bool

    @property
    def pql(self) -> str:
        return f"{self.column} {self.operator} {_written(self.value, quote=chr(34))}"

    @property
    def sql(self) -> str:
        return f"{self.column} {self.operator} {_written(self.value, quote=chr(39))}"

    def met(self, frame: Any) -> Any:
        """Return the condition as an expression of Polars, or as a mask of a pandas frame."""
        column = frame(self.column) if callable(frame) else frame[self.column]
        tests = {"=": "__eq__", ">": "__gt__", ">=": "__ge__", "<": "__lt__"}
        return getattr(column, tests[self.operator])(self.value)


@dataclass(frozen=True)
class Rows:
    """People with at least so many rows of a table that meet conditions, within so many days where there are events.

    ``way`` is the table's path to people: ``event``, ``account``, ``deal`` (of an account) or ``role`` (on a deal).
    """

    way: str
    conditions: tuple[Attribute, ...]
    days: int | None = None
    at_least: int = 1
    deal: tuple[Attribute, ...] = ()
    account: tuple[Attribute, ...] = ()

    @property
    def pql(self) -> str:
        def said(conditions: tuple[Attribute, ...], prefix: str = "") -> str:
            return " and ".join(prefix + each.pql for each in conditions)

        match self.way:
            case "event":
                window = "" if self.days is None else f" and timestamp occurs <= {self.days} days before now"
                return f"xEvent[{said(self.conditions)}{window}].count() >= {self.at_least}"
            case "account":
                return f"accounts.exists({said(self.conditions)})"
            case "deal":
                return f"accounts.exists(opportunities.exists({said(self.deal)}))"
            case _:
                parts = (
                    said(self.conditions, "R."), said(self.deal, "R.opportunity."),
                    said(self.account, "R.opportunity.account."),
                )  # fmt: skip
                return f"exists R from opportunityRoles where {' and '.join(filter(None, parts))}"

    @property
    def where(self) -> str:
        """The condition on a row of the table, with all that it is joined to, in SQL."""
        parts = [each.sql for each in self.conditions]
        parts += [f"o.{each.sql}" for each in self.deal] + [f"a.{each.sql}" for each in self.account]
        if self.days is not None:
            parts.append(f'"timestamp" BETWEEN {_NOW} - INTERVAL {self.days} DAY AND {_NOW}')
        return " AND ".join(parts)

    @property
    def sql(self) -> str:
        """The people, as a query."""
        joined = {
            "event": "event",
            "account": "person_account t JOIN account a ON a.profile_id = t.account_id",
            "deal": "person_account t JOIN opportunity o ON o.account_id = t.account_id",
            "role": "opportunity_person t JOIN opportunity o ON o.profile_id = t.opportunity_id "
            "JOIN account a ON a.profile_id = o.account_id",
        }[self.way]
        owner = "profile_id" if self.way == "event" else "t.profile_id"
        having = f" GROUP BY 1 HAVING count(*) >= {self.at_least}" if self.at_least > 1 else ""
        return f"SELECT {owner} FROM {joined} WHERE {self.where}{having}"  # noqa: S608 - made of what stands above

    def polars(self, scan: Any) -> pl.LazyFrame:
        """Return the people, as a lazy frame of their ids."""
        import polars as pl

        def kept(table: str, conditions: tuple[Attribute, ...]) -> pl.LazyFrame:
            return scan(table).filter(each.met(pl.col) for each in conditions)

        match self.way:
            case "event":
                rows = kept("event", self.conditions)
                if self.days is not None:
                    rows = rows.filter(pl.col("timestamp").is_between(AS_OF - timedelta(days=self.days), AS_OF))
            case "account":
                rows = scan("person_account").join(
                    kept("account", self.conditions), left_on="account_id", right_on="profile_id", how="semi"
                )
            case "deal":
                rows = scan("person_account").join(kept("opportunity", self.deal), on="account_id", how="semi")
            case _:
                deals = kept("opportunity", self.deal).join(
                    kept("account", self.account), left_on="account_id", right_on="profile_id", how="semi"
                )
                rows = kept("opportunity_person", self.conditions).join(
                    deals, left_on="opportunity_id", right_on="profile_id", how="semi"
                )
        counted = rows.group_by("profile_id").agg(found=pl.len())
        return counted.filter(pl.col("found") >= self.at_least).select("profile_id")

    def pandas(self, tables: dict[str, Any]) -> Any:
        """Return the people, as the series of their ids."""

        def kept(table: str, conditions: tuple[Attribute, ...]) -> Any:
            rows = tables[table]
            return rows[reduce(lambda one, other: one & other, (each.met(rows) for each in conditions))]

        match self.way:
            case "event":
                rows = kept("event", self.conditions)
                if self.days is not None:
                    rows = rows[rows["timestamp"].between(AS_OF - timedelta(days=self.days), AS_OF)]
            case "account":
                pairs = tables["person_account"]
                rows = pairs[pairs["account_id"].isin(kept("account", self.conditions)["profile_id"])]
            case "deal":
                pairs = tables["person_account"]
                rows = pairs[pairs["account_id"].isin(kept("opportunity", self.deal)["account_id"])]
            case _:
                deals = kept("opportunity", self.deal)
                deals = deals[deals["account_id"].isin(kept("account", self.account)["profile_id"])]
                rows = kept("opportunity_person", self.conditions)
                rows = rows[rows["opportunity_id"].isin(deals["profile_id"])]
        if self.at_least == 1:
            return rows["profile_id"]
        counted = rows["profile_id"].value_counts()
        return counted[counted >= self.at_least].index


@dataclass(frozen=True)
class Named:
    """People in another audience."""

    name: str


@dataclass(frozen=True)
class Rule:
    """All or any of facts, those in ``but`` the other way round."""

    name: str
    join: str
    facts: tuple[Attribute | Rows | Named, ...]
    but: tuple[Attribute | Rows, ...] = ()

    @property
    def pql(self) -> str:
        parts = [f'inSegment("{each.name}")' if isinstance(each, Named) else each.pql for each in self.facts]
        parts += [f"not ({each.pql})" for each in self.but]
        return f" {self.join} ".join(f"({part})" for part in parts)

    def sql(self, rules: dict[str, Rule], of_fact: Any = None) -> str:
        """Return the condition on a person; facts as subqueries, or as ``of_fact`` says."""

        def said(fact: Attribute | Rows | Named) -> str:
            if isinstance(fact, Named):
                return rules[fact.name].sql(rules, of_fact)
            if isinstance(fact, Attribute):
                return f"p.{fact.sql}"
            return of_fact(fact) if of_fact else f"p.profile_id IN ({fact.sql})"

        parts = [f"({said(each)})" for each in self.facts] + [f"NOT ({said(each)})" for each in self.but]
        return f" {self.join.upper()} ".join(parts)

    def polars(self, rules: dict[str, Rule], scan: Any) -> pl.LazyFrame:
        """Return the people, as a lazy frame of their ids."""
        import polars as pl

        people = scan("person")

        def those(fact: Attribute | Rows | Named) -> pl.LazyFrame:
            if isinstance(fact, Named):
                return rules[fact.name].polars(rules, scan)
            if isinstance(fact, Attribute):
                return people.filter(fact.met(pl.col)).select("profile_id")
            return fact.polars(scan)

        if self.join == "or":
            return pl.concat([those(each) for each in self.facts]).unique()
        attributes = [each for each in self.facts if isinstance(each, Attribute)]
        found = people.filter(each.met(pl.col) for each in attributes) if attributes else people
        found = found.select("profile_id")
        for each in self.facts:
            found = found if isinstance(each, Attribute) else found.join(those(each), on="profile_id", how="semi")
        for each in self.but:
            found = found.join(those(each), on="profile_id", how="anti")
        return found

    def pandas(self, rules: dict[str, Rule], tables: dict[str, Any]) -> Any:
        """Return who is in, as a mask of the people."""
        people = tables["person"]

        def mask(fact: Attribute | Rows | Named) -> Any:
            if isinstance(fact, Named):
                return rules[fact.name].pandas(rules, tables)
            if isinstance(fact, Attribute):
                return fact.met(people)
            return people["profile_id"].isin(fact.pandas(tables))

        masks = [mask(each) for each in self.facts] + [~mask(each) for each in self.but]
        return reduce((lambda a, b: a | b) if self.join == "or" else (lambda a, b: a & b), masks)

    def rows(self, rules: dict[str, Rule]) -> list[Rows]:
        """Return the facts that are about rows of other tables, those of named rules too."""
        found: list[Rows] = []
        for each in (*self.facts, *self.but):
            found += (
                rules[each.name].rows(rules) if isinstance(each, Named) else [each] if isinstance(each, Rows) else []
            )
        return found


def _written(value: str | float, *, quote: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)


_country, _department, _source = cycle(COUNTRIES), cycle(DEPARTMENTS), cycle(SOURCES)
_industry, _role, _page, _type = cycle(INDUSTRIES), cycle(ROLES), cycle(PAGES), cycle(list(TYPES))


def mixed_rules(size: int) -> dict[str, Rule]:
    """Return rules of all kinds: 82 conditions on events in nested windows, 101 on accounts and deals, 36 on roles."""
    made = (_mixed(number) for number in range(size))
    return {rule.name: rule for rule in made}


def different_rules(size: int) -> dict[str, Rule]:
    """Return rules on events only, no two of which share a condition or a window."""

    def made(number: int) -> Rule:
        of = (Attribute("event_type", "=", _type(number // 200)), Attribute("page_name", "=", _page(number)))
        return Rule(f"s{number:04}", "and", (Rows("event", of, 20 + number % 340, 1 + number % 2),))

    return {rule.name: rule for rule in map(made, range(size))}


def _mixed(number: int) -> Rule:  # noqa: PLR0911 - a case a kind
    name, turn = f"s{number:04}", number // 10
    attribute = Attribute("person_score", ">=", float(turn * 7 % 100))
    match number % 10:
        case 0:
            facts = (attribute, Attribute("country", "=", _country(turn)))
            return Rule(name, "and", (*facts, Attribute("department", "=", _department(turn // 3))))
        case 1:
            return Rule(name, "or", (Attribute("country", "=", _country(turn)), Attribute("person_score", ">", 95.0)))
        case 2 | 3 | 4:
            return Rule(name, "and", (_visits(turn * 3 + number % 10 - 2),))
        case 5:
            return Rule(name, "and", (attribute, _visits(turn)), but=(_visits(turn + 41),))
        case 6:
            return Rule(name, "and", (Attribute("person_source", "=", _source(turn)), _at_account(turn)))
        case 7:
            return Rule(name, "and", (Attribute("is_converted", "=", turn % 2 == 0), _with_deal(turn)))
        case 8:
            return Rule(name, "or", (_with_role(turn), _with_role(turn + 17)))
        case _:
            return Rule(name, "and", (Named(f"s{number - 9:04}"), _visits(turn * 5)))


def _visits(number: int) -> Rows:
    kind = number % 82
    of = (Attribute("event_type", "=", _type(0 if kind < 50 else kind)),)
    of += () if kind in {50, 51, 52, 53, 54} else (Attribute("page_name", "=", _page(kind)),)
    return Rows("event", of, (7, 30, 90)[number // 82 % 3], 1 + number % 3)


def _at_account(number: int) -> Rows:
    kind = number % 51
    of = (Attribute("industry", "=", _industry(kind)), Attribute("employees", ">=", 100 * (kind % 30)))
    return Rows("account", (*of, Attribute("annual_revenue", ">", 500_000.0)) if kind % 2 else of)


def _with_deal(number: int) -> Rows:
    kind = number % 50
    is_won = Attribute("is_won", "=", True)
    return Rows(
        "deal",
        (),
        deal=(is_won if kind % 2 else Attribute("is_closed", "=", False), Attribute("amount", ">", 4000.0 * kind)),
    )


def _with_role(number: int) -> Rows:
    kind = number % 36
    deal = (Attribute("is_closed", "=", kind % 2 == 0),)
    return Rows(
        "role",
        (Attribute("role", "=", _role(kind)),),
        deal=deal,
        account=(Attribute("industry", "=", _industry(kind)),),
    )
