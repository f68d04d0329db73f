"""Secrets by reference: ``${env:NAME}`` and ``${keyring:SERVICE/USER}``, read at the moment of the call.

Invariant: settings hold references and nothing else, so that whatever is written, shown or kept of them is harmless.
What ``reveal`` gives out goes into a call and nowhere else; ``redact`` puts the references back into texts that others
have written, such as the errors of a driver.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Annotated, Any, get_args
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator

from cdp_toolkit.errors import ConfigError, UnknownNameError

_REFERENCE = re.compile(r"\$\{(\w+):([^{}]+)\}")
_SHORTEST = 4  # below it a value stands in texts that have nothing to do with it
# What keeps secrets as plain text, or keeps none; `keyrings.alt` chooses its own without a word where a desktop's is missing.
_REFUSED = re.compile(r"keyrings\.alt\.|plaintext|uncrypted|\.null\.|\.fail\.", re.IGNORECASE)
# Names of options that are secrets, whoever's options they are.
_NAMES = re.compile(
    r"secret|passw|passphrase|token|account_key|sas|connection_string|credential|authorization", re.IGNORECASE
)

_given_out: dict[str, str] = {}


def reveal(text: str, *, where: str = "") -> str:
    """Return a text with the secrets that it refers to.

    Parameters
    ----------
    text
        A setting, such as ``postgresql://reader:${env:PG_PASSWORD}@db.example/crm``.
    where
        Where the setting stands, for errors.

    Returns
    -------
    str
        For the call that needs it; not to be kept.

    Raises
    ------
    ConfigError
        If a secret is missing, or kept where everybody can read it; says what to set.
    UnknownNameError
        If there is no such kind of reference.

    Examples
    --------
    >>> reveal("no reference")
    'no reference'
    """
    return _REFERENCE.sub(partial(_looked_up, where=where), text)


def reveal_address(address: str, *, where: str = "") -> str:
    """Return an address with the secrets that it refers to, encoded as parts of an address must be.

    Parameters
    ----------
    address
        Such as ``postgresql://reader:${env:PG_PASSWORD}@db.example/crm``; where it is one reference and nothing else, the
        secret is the address.
    where
        Where the setting stands, for errors.

    Returns
    -------
    str
        For the call that needs it; not to be kept.

    Raises
    ------
    ConfigError
        If a secret is missing; see ``reveal``.
    """
    if _REFERENCE.fullmatch(address):
        return reveal(address, where=where)
    return _REFERENCE.sub(lambda found: quote(_looked_up(found, where=where), safe=""), address)


def reveal_all(settings: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """Return settings with the secrets that their texts refer to.

    Parameters
    ----------
    settings
        Names and values; values may be settings again.
    where
        Where they stand, for errors.

    Returns
    -------
    dict
        For the call that needs them; not to be kept.

    Raises
    ------
    ConfigError
        If a secret is missing; see ``reveal``.
    """
    return {name: _revealed(value, where) for name, value in settings.items()}


def redact(text: str) -> str:
    """Return a text without the secrets that this process has revealed.

    Parameters
    ----------
    text
        A text that others have written, such as an error or an output.

    Returns
    -------
    str
        With references in place of the secrets, also of those that stand encoded in an address.
    """
    for value in sorted(_given_out, key=len, reverse=True):
        text = text.replace(value, _given_out[value])
    return text


def _is_reference(text: str) -> str:
    if not _REFERENCE.search(text):
        raise ValueError(
            "a secret is not written here: write ${env:NAME} for an environment variable, or ${keyring:SERVICE/USER}"
        )
    return text


Secret = Annotated[str, AfterValidator(_is_reference)]
"""A setting that is a secret: holds its reference, refuses plain text; ``reveal`` it where it is used."""


def is_secret(annotation: Any, metadata: Iterable[Any] = ()) -> bool:
    """Tell whether a setting is a ``Secret``.

    Parameters
    ----------
    annotation
        Its type.
    metadata
        What pydantic took out of the type.

    Returns
    -------
    bool
        Whether it is, or may be.

    Examples
    --------
    >>> is_secret(Secret), is_secret(Secret | None), is_secret(str)
    (True, True, False)
    """
    if any(
        getattr(each, "func", None) is _is_reference for each in (*metadata, *getattr(annotation, "__metadata__", ()))
    ):
        return True
    return any(is_secret(each) for each in get_args(annotation))


def _has_no_password(address: str) -> str:
    login = _REFERENCE.sub("", address).partition("://")[2].partition("/")[0].rpartition("@")[0]
    if login.partition(":")[2]:
        raise ValueError("a password is not written here: write ${env:NAME} or ${keyring:SERVICE/USER} in its place")
    return address


Address = Annotated[str, AfterValidator(_has_no_password)]
"""A setting that is an address; a password in it must be a reference."""


def _has_no_secrets(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if isinstance(value, dict):
            _has_no_secrets(value)
        elif isinstance(value, str) and _NAMES.search(name) and not _REFERENCE.search(value):
            raise ValueError(f"{name!r} is not written here: write ${{env:NAME}} or ${{keyring:SERVICE/USER}}")
    return options


Options = Annotated[dict[str, Any], AfterValidator(_has_no_secrets)]
"""Settings that are passed on; one whose name says that it is a secret must be a reference."""


def _revealed(value: Any, where: str) -> Any:
    match value:
        case str():
            return reveal(value, where=where)
        case Mapping():
            return reveal_all(value, where=where)
        case list() | tuple():
            return [_revealed(each, where) for each in value]
        case _:
            return value


def _looked_up(found: re.Match[str], *, where: str) -> str:
    kinds = {"env": _from_environment, "keyring": _from_keyring}
    reference, kind, name = found.group(0, 1, 2)
    if kind not in kinds:
        raise UnknownNameError("kind of reference", kind, kinds, where=where)
    value = kinds[kind](name, where)
    _keep_out_of_logs()
    for spelt in {value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1]}:
        if len(spelt) >= _SHORTEST:
            _given_out[spelt] = reference
    return value


def _from_environment(name: str, where: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigError(
            f"The environment variable {name} is not set.",
            where=where,
            hint=f"Set it: `export {name}=…`; it is a secret.",
        )
    return value


def _from_keyring(name: str, where: str) -> str:
    service, _, user = name.rpartition("/")
    if not (service and user):
        raise ConfigError(
            f"A keyring is asked for a service and a user, not for {name!r}.",
            where=where,
            hint="Write ${keyring:SERVICE/USER}.",
        )
    for backend in _backends(where):
        value: str | None = backend.get_password(service, user)
        if value:
            return value
    raise ConfigError(
        f"The keyring has no password of {user!r} for {service!r}.",
        where=where,
        hint=f"Put it there: `keyring set {service} {user}`.",
    )


def _backends(where: str) -> list[Any]:
    import keyring

    chosen = keyring.get_keyring()
    names = {_name(each): each for each in getattr(chosen, "backends", [chosen])}
    safe = [backend for name, backend in names.items() if not _REFUSED.search(name)]
    if not safe:
        raise ConfigError(
            f"This machine keeps no secrets: {', '.join(names) or 'no keyring'} is no safe place.",
            where=where,
            hint="Use an environment variable, ${env:NAME}, or install a keyring such as Secret Service.",
        )
    return safe


def _name(backend: object) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


@cache
def _keep_out_of_logs() -> None:
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        told = record.getMessage()
        if (safe := redact(told)) != told:
            record.msg, record.args = safe, ()
        return record

    logging.setLogRecordFactory(made)
