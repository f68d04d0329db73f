"""Names of countries as records write them → the codes by which phone numbers are read."""

from functools import cache

_NAMES = """
AE united arab emirates, uae, vereinigte arabische emirate
AR argentina, argentinien, argentine
AT austria, österreich, autriche, aut
AU australia, australien, australie, aus
BE belgium, belgien, belgique, belgië, bel
BG bulgaria, bulgarien
BR brazil, brasil, brasilien, brésil, bra
CA canada, kanada, can
CH switzerland, schweiz, suisse, svizzera, che
CL chile
CN china, people's republic of china, prc, chn
CO colombia, kolumbien
CR costa rica
CY cyprus, zypern
CZ czech republic, czechia, tschechien, česko, cze
DE germany, deutschland, allemagne, alemania, federal republic of germany, deu, ger
DK denmark, dänemark, danmark, danemark, dnk
EE estonia, estland
EG egypt, ägypten
ES spain, spanien, españa, espagne, esp
FI finland, finnland, suomi, fin
FR france, frankreich, francia, fra
GB united kingdom, uk, great britain, england, scotland, wales, northern ireland, u.k., vereinigtes königreich, grossbritannien, großbritannien, royaume-uni, gbr
GR greece, griechenland, hellas
HK hong kong, hongkong
HR croatia, kroatien, hrvatska
HU hungary, ungarn, magyarország, hun
ID indonesia, indonesien
IE ireland, irland, éire, irlande, irl
IL israel
IN india, indien, inde, ind
IS iceland, island
IT italy, italien, italia, italie, ita
JP japan, 日本, japon, jpn
KE kenya, kenia
KR south korea, korea, republic of korea, korea, republic of, südkorea, kor
LT lithuania, litauen
LU luxembourg, luxemburg, lux
LV latvia, lettland
MA morocco, marokko, maroc
MX mexico, méxico, mexiko, mexique, mex
MY malaysia
NG nigeria
NL netherlands, the netherlands, holland, nederland, niederlande, pays-bas, nld
NO norway, norwegen, norge, norvège, nor
NZ new zealand, neuseeland, nouvelle-zélande, nzl
PE peru, perú
PH philippines, philippinen
PK pakistan
PL poland, polen, polska, pologne, pol
PT portugal, prt
RO romania, rumänien, românia
RS serbia, serbien
RU russia, russian federation, russland, россия, rus
SA saudi arabia, saudi-arabien
SE sweden, schweden, sverige, suède, swe
SG singapore, singapur, sgp
SI slovenia, slowenien
SK slovakia, slowakei, slovensko
TH thailand
TR turkey, türkiye, türkei, turquie, tur
TW taiwan
UA ukraine, україна
US united states, united states of america, usa, u.s.a., u.s., america, vereinigte staaten, états-unis, estados unidos
UY uruguay
VN vietnam, viet nam
ZA south africa, südafrika, afrique du sud, zaf
"""


def country_code(name: str) -> str | None:
    """Return the code of a country.

    Parameters
    ----------
    name
        A code of two letters, or a name as records write it.

    Returns
    -------
    str or None
        The ISO 3166 code of two letters; None for a name that is not known here.

    Examples
    --------
    >>> country_code("Deutschland"), country_code("gb"), country_code("Atlantis")
    ('DE', 'GB', None)
    """
    plain = " ".join(name.split()).casefold()
    return plain.upper() if len(plain) == 2 and plain not in _codes() and plain.isalpha() else _codes().get(plain)


@cache
def _codes() -> dict[str, str]:
    lines = (line.partition(" ") for line in _NAMES.strip().splitlines())
    return {name.casefold(): code for code, _, names in lines for name in names.split(", ")}
