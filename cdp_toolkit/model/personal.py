"""Personal data as it is shown by default: recognisable by whoever knows it, and by nobody else."""

import re

from cdp_toolkit.model.model import Field

_DIRECT = "I1"  # usage label of what identifies a person directly
_ADDRESS = re.compile(r"[^\s@\"'\[\](),]+@[^\s@\"'\[\](),]+")


def is_personal(field: Field) -> bool:
    """Tell whether the values of a field say directly who somebody is.

    Parameters
    ----------
    field
        A field of the model.

    Returns
    -------
    bool
        By its usage labels.
    """
    return _DIRECT in field.labels


def mask(text: str) -> str:
    """Mask one text.

    Parameters
    ----------
    text
        A name, an address, a number.

    Returns
    -------
    str
        Its first letter; of an e-mail address also the domain.

    Examples
    --------
    >>> mask("Anna"), mask("anna@acme.example")
    ('A•••', 'a•••@acme.example')
    """
    first, at, domain = text.partition("@")
    return f"{first[:1]}•••{at}{domain}" if text else text


def mask_addresses(text: str) -> str:
    """Mask the e-mail addresses in a text.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        All else as it is.

    Examples
    --------
    >>> mask_addresses("same email anna@acme.example")
    'same email a•••@acme.example'
    """
    return _ADDRESS.sub(lambda found: mask(found[0]), text)


def mask_identity(namespace: str, value: str) -> str:
    """Mask what identifies somebody, unless it is a key that only a source can resolve.

    Parameters
    ----------
    namespace
        Such as ``email`` or ``person_key``.
    value
        The identity.

    Returns
    -------
    str
        The value; masked but for keys.

    Examples
    --------
    >>> mask_identity("person_key", "7@main.crm"), mask_identity("phone", "+4366412345")
    ('7@main.crm', '+•••')
    """
    return value if namespace.endswith("_key") else mask(value)
