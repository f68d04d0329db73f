"""Names of files from templates: ``{audience}`` and ``%SEGMENT_NAME%`` alike.

The macros between percent signs are those of the reference system, so that its templates can be taken over as they are:
https://experienceleague.adobe.com/en/docs/experience-platform/destinations/ui/activate/activate-batch-profile-destinations
"""

import re
from collections.abc import Mapping
from datetime import datetime

from cdp_toolkit.destinations.destination import Batch
from cdp_toolkit.errors import ConfigError, UnknownNameError

MACROS = ("destination", "audience", "date", "time")
_MEANT = {
    "DESTINATION_NAME": "destination",
    "DESTINATION_INSTANCE_ID": "destination",
    "DESTINATION_INSTANCE_NAME": "destination",
    "SEGMENT_ID": "audience",
    "SEGMENT_NAME": "audience",
}
TOLD = ("CUSTOM_TEXT", "MERGE_POLICY_ID", "MERGE_POLICY_NAME", "ORGANIZATION_NAME", "SANDBOX_NAME")
"""Macros whose values a definition says."""

_TIMES = ("date", "time", "DATETIME", "TIMESTAMP")
_MACRO = re.compile(r"(?<!\$)\{(?P<ours>.*?)\}|%(?P<theirs>[A-Z_]+)(?:\((?P<form>[^)%]*)\))?%")
_PART = re.compile(r"[yY]{4}|MM|dd|HH|mm|ss|[A-Za-z]")
_CODES = {"yyyy": "%Y", "YYYY": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
# What would lead to another folder, or to a name that some system cannot have.
_UNSAFE = re.compile(r"[/\\:*?\"<>|\x00-\x1f]|\.\.|^\s|\s$")


def macros(template: str) -> set[str]:
    """Return the macros of a template.

    Parameters
    ----------
    template
        Folder or name.

    Returns
    -------
    set of str
        Their names; those that mean one of ``MACROS`` under that name.

    Examples
    --------
    >>> sorted(macros("%SEGMENT_NAME%_%DATETIME(YYYYMMdd)%_{destination}"))
    ['DATETIME', 'audience', 'destination']
    """
    names = (found["ours"] if found["ours"] is not None else found["theirs"] for found in _MACRO.finditer(template))
    return {_MEANT.get(name, name) for name in names}


def is_timed(template: str) -> bool:
    """Tell whether a template gives another name at another time.

    Parameters
    ----------
    template
        Folder or name.

    Returns
    -------
    bool
        Whether it has a macro of time.
    """
    return bool(macros(template) & {*_TIMES})


def check_template(template: str, values: Mapping[str, str], *, where: str) -> None:
    """Check that every macro of a template can be replaced, and that no value leads elsewhere.

    Parameters
    ----------
    template
        Folder and name.
    values
        Values of the macros in ``TOLD``.
    where
        Where it stands, for errors.

    Raises
    ------
    UnknownNameError
        If a macro does not exist.
    ConfigError
        If a macro lacks its value or its form, or a value holds what no name may hold.
    """
    for name in macros(template):
        if name in TOLD and name not in values:
            raise ConfigError(f"{name} has no value.", where=where, hint=f"Add `macros: {{{name}: …}}`.")
        if name not in {*MACROS, *_TIMES, *TOLD}:
            raise UnknownNameError("macro", name, [*MACROS, *_MEANT, *_TIMES[2:], *TOLD], where=where)
    for name, value in values.items():
        if name not in TOLD:
            raise UnknownNameError("macro with a value of its own", name, TOLD, where=where)
        if _UNSAFE.search(value):
            raise ConfigError(
                f"{value!r} cannot be part of a name.", where=where, hint="Leave out / \\ : * ? and the like."
            )
    for found in _MACRO.finditer(template):
        if found["theirs"] == "DATETIME":
            _strftime(found["form"] or "", where)


def expand(template: str, batch: Batch, values: Mapping[str, str], *, at: datetime) -> str:
    """Replace the macros of a template that was checked.

    Parameters
    ----------
    template
        Folder or name.
    batch
        What is delivered.
    values
        Values of the macros in ``TOLD``.
    at
        Time that the name tells, in UTC.

    Returns
    -------
    str
        Folder or name.
    """
    known = {"destination": batch.destination, "audience": batch.audience, **values}
    known |= {"date": f"{at:%Y%m%d}", "time": f"{at:%H%M%S}", "TIMESTAMP": str(int(at.timestamp()))}

    return _MACRO.sub(lambda found: _value(found, known, at), template)


def _value(found: re.Match[str], known: Mapping[str, str], at: datetime) -> str:
    if found["theirs"] == "DATETIME":
        return at.strftime(_strftime(found["form"], ""))
    name = found["ours"] if found["ours"] is not None else found["theirs"]
    return known[_MEANT.get(name, name)]


def _strftime(form: str, where: str) -> str:
    if not form or _UNSAFE.search(form) or any(part not in _CODES for part in _PART.findall(form)):
        raise ConfigError(
            f"DATETIME({form}) is no form of a time.", where=where, hint="Write it like DATETIME(YYYYMMdd_HHmmss)."
        )
    return _PART.sub(lambda found: _CODES[found[0]], form)
