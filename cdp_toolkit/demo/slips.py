"""How people and systems write down what is true: names, addresses and phone numbers as they come out of forms.

What makes records of one person hard to tell, and how often (in an export of Marketo where nothing else is said):

- names: mistyped 3 %, first and last name in each other's field 1 %, accents left out 10 %, the name before a
  marriage on the older records of 1.5 % of the people;
- e-mails: mistyped 5 % (1.5 % where no id of the CRM tells), missing 3 %, a placeholder 0.4 %, a remark instead of an
  address 0.3 %, with a tag behind a plus 1 %, in capitals 3 %, with a blank 2 %; of a mailbox shared with others 6 %
  of the people of the large companies;
- phones: missing 5 %, in the notation of the country 40 % (Salesforce); that of the switchboard, with the address of
  the office, 20 % of the people; postal codes: missing 5 %;
- devices: 0.4 % of the browsers are used by two people;
- jobs: 5 % of the people changed theirs; records of the former one have another company, address, phone and e-mail.

Names recur: there are about 9,000, so that large companies employ several people of one name.
"""

import polars as pl

from cdp_toolkit.demo.dice import Dice

# How a number is dialled within its country.
_NATIONAL = {
    "+1 212 555 ": "(212) 555-", "+1 416 555 ": "(416) 555-", "+49 30 2093 ": "030 2093-", "+44 20 7946 ": "020 7946 ",
    "+33 1 7018 ": "01 7018 ", "+31 20 708 ": "020 708 ", "+61 2 5550 ": "(02) 5550 ", "+81 3 5550 ": "03-5550-",
}  # fmt: skip
_TAGS = ("news", "webinar", "events")


def written_names(
    who: pl.DataFrame, is_former: pl.Series, dice: Dice, *, mistyped: float, swapped: float = 0.0
) -> tuple[pl.Series, pl.Series]:
    """Return first and last names as a record has them.

    Parameters
    ----------
    who
        People, one row a record: ``first_name``, ``last_name``, ``former_last_name``.
    is_former
        Whether the record has the name before the marriage.
    dice
        Chance of this part.
    mistyped, swapped
        How often a letter is missing, and how often the two are in each other's field.

    Returns
    -------
    tuple of polars.Series
        First names and last names.
    """
    former = who["former_last_name"].fill_null(who["last_name"])
    last = former.zip_with(is_former, who["last_name"])
    first, last = (_plain(_mistyped(names, mistyped, dice), dice) for names in (who["first_name"], last))
    is_swapped = dice.chance(swapped, rows=who.height)
    return last.zip_with(is_swapped, first), first.zip_with(is_swapped, last)


def written_emails(emails: pl.Series, dice: Dice) -> pl.Series:
    """Return e-mails of which a few are in capitals or end in a blank.

    Parameters
    ----------
    emails
        Addresses.
    dice
        Chance of this part.
    """
    loud = emails.str.to_uppercase().zip_with(dice.chance(0.03, rows=emails.len()), emails)
    return (loud + " ").zip_with(dice.chance(0.02, rows=emails.len()), loud)


def tagged(email: pl.Expr, dice: Dice, *, rows: int) -> pl.Expr:
    """Return addresses with a tag behind a plus.

    Parameters
    ----------
    email
        Addresses.
    dice
        Chance of this part.
    rows
        How many.
    """
    tag = pl.lit("+") + dice.pick(_TAGS, rows=rows) + "@"
    return email.str.replace("@.*$", "") + tag + email.str.replace("^.*@", "")


def national(phones: pl.Series, probability: float, dice: Dice) -> pl.Series:
    """Return phone numbers of which some are in the notation of their country.

    Parameters
    ----------
    phones
        Numbers with the code of their country.
    probability
        Of being written otherwise.
    dice
        Chance of this part.
    """
    dialled = phones.str.replace_many(list(_NATIONAL), list(_NATIONAL.values()))
    return dialled.zip_with(dice.chance(probability, rows=phones.len()), phones)


def lost(values: pl.Series, probability: float, dice: Dice) -> pl.Series:
    """Return values of which some are missing.

    Parameters
    ----------
    values
        Anything.
    probability
        Of being missing.
    dice
        Chance of this part.
    """
    return values.set(dice.chance(probability, rows=values.len()), None)


def _mistyped(names: pl.Series, probability: float, dice: Dice) -> pl.Series:
    """Let a few names lack their third letter."""
    return (names.str.head(2) + names.str.slice(3)).zip_with(dice.chance(probability, rows=names.len()), names)


def _plain(names: pl.Series, dice: Dice) -> pl.Series:
    """Leave the accents out of a tenth of the names."""
    plain = names.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.replace_many(["ø", "ł"], ["o", "l"])
    return plain.zip_with(dice.chance(0.1, rows=names.len()), names)
