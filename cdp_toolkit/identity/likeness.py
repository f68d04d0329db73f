"""By what two people or two accounts are compared, and which pairs are compared at all."""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.claims import plain
from cdp_toolkit.identity.companies import describe_companies, read_texts
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.evidence import describe_people
from cdp_toolkit.model.companies import company_domain


class Level(NamedTuple):
    """A degree of likeness: what it is called, in which column, and how alike (1 is the same)."""

    words: str
    column: str
    likeness: float = 1.0


class Likeness(NamedTuple):
    """How records of an entity are compared.

    ``comparisons`` have their levels by name, the strongest first. Two records are compared if all columns of one of
    the ``blocks`` are the same. What is ``rare`` says more than what is common. Pairs that have nothing in common in a
    ``needed`` comparison are not the same, whatever else they share: two colleagues share an office.
    """

    comparisons: dict[str, list[Level]]
    blocks: list[list[str]]
    rare: tuple[str, ...]
    needed: tuple[str, ...] = ()


def _text(name: str, column: str) -> list[Level]:
    return [
        Level(f"the same {name}", column),
        Level(f"nearly the same {name}", column, 0.95),
        Level(f"a similar {name}", column, 0.88),
    ]


_PLACE = [Level("the same postal code", "postcode"), Level("the same city", "city"), Level("the same country", "land")]

LIKENESS = {
    # The letters before the @ are those of the name: they would count it twice.
    "person": Likeness(
        {
            "name": [
                *_text("name", "whole_name"),
                Level("the same family name", "family"),
                Level("the same given name", "given"),
            ],
            "phone": [Level("the same phone", "phone")],
            "place": _PLACE,
            "employer": [Level("the same employer's domain", "employer")],
            "job": [Level("the same job title", "job"), Level("the same department", "unit")],
        },
        [["phone"], ["whole_name", "land"], ["family", "postcode"], ["given", "postcode"], ["employer", "family"],
         ["employer", "given"]],
        ("whole_name", "employer"),
        ("name",),
    ),
    "account": Likeness(
        {
            "name": _text("name", "stem"),
            "domain": [Level("the same domain", "company_domain")],
            "place": _PLACE,
            "phone": [Level("the same phone", "line")],
            "industry": [Level("the same industry", "branch")],
        },
        [["company_domain"], ["stem"], ["first_letters", "land"], ["line"]],
        ("stem", "company_domain"),
    ),
}  # fmt: skip
"""By entity."""


def describe(entity: str, records: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Add the columns by which records are compared.

    Parameters
    ----------
    entity
        ``person`` or ``account``.
    records
        One row per record, as in its entity table.
    rules
        How phone numbers are read.
    engine
        Reads distinct texts.

    Returns
    -------
    Frame
        ``source_key``, ``updated_at`` and the columns that ``LIKENESS`` names.
    """
    live = records.filter(~nw.col("is_deleted"))
    known = _people(live, rules, engine) if entity == "person" else _accounts(live, engine)
    return known.select("source_key", "updated_at", *columns_of(LIKENESS[entity]))


def columns_of(likeness: Likeness) -> list[str]:
    """Return the columns that a comparison needs.

    Parameters
    ----------
    likeness
        Of an entity.

    Returns
    -------
    list of str
        Each once.
    """
    compared = [level.column for levels in likeness.comparisons.values() for level in levels]
    return list(dict.fromkeys([*compared, *(name for block in likeness.blocks for name in block)]))


def _people(people: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    known = read_texts(describe_people(people, rules, engine), "email", "employer", company_domain, engine)
    # What two of an office share says no more of a person than their employer does. Slips seldom change the first letter.
    place = ["phone", "postcode"]
    initials = known.group_by(*place).agg(_initials=nw.col("given").str.slice(0, 1).n_unique())
    shared = initials.filter(nw.col("_initials") > 1).select(*place, _is_shared=nw.lit(True))
    known = known.join(shared, on=place, how="left")
    own = {name: nw.when(nw.col("_is_shared").is_null()).then(nw.col(name)) for name in place}
    return known.with_columns(
        **own, city=plain("city"), land=plain("country"), job=plain("job_title"), unit=plain("department")
    )


def _accounts(accounts: Frame, engine: Engine) -> Frame:
    known = describe_companies(accounts, engine)
    return known.with_columns(
        postcode=plain("billing_postal_code"), city=plain("billing_city"), branch=plain("industry"),
        line=nw.col("phone").str.replace_all("[^0-9]", ""), first_letters=nw.col("stem").str.slice(0, 5),
    )  # fmt: skip
