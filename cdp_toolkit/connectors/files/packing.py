"""Files packed by gzip and encrypted for their receiver."""

import gzip
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cdp_toolkit.errors import ConfigError

GZIP, PGP = ".gz", ".pgp"


def packed(write: Callable[[Path], None], path: Path, *, is_packed: bool, keys: Sequence[Any]) -> None:
    """Write a file, and pack and encrypt it where that is asked for.

    Parameters
    ----------
    write
        Writes the plain file.
    path
        Where the packed one goes.
    is_packed
        Whether it is packed by gzip: the same bytes for the same file.
    keys
        Certificates of those who can decrypt it; none for everybody.
    """
    steps: list[Callable[[Path, Path], None]] = []
    if is_packed:
        steps.append(_gzipped)
    if keys:
        steps.append(lambda plain, out: _encrypted(plain, out, keys))
    with tempfile.TemporaryDirectory() as scratch:
        places = [*(Path(scratch) / str(number) for number in range(len(steps))), path]
        write(places[0])
        for step, source, target in zip(steps, places[:-1], places[1:], strict=True):
            step(source, target)


def read_keys(paths: Sequence[str], *, folder: Path, where: str) -> list[Any]:
    """Read the public keys of receivers.

    Parameters
    ----------
    paths
        Files of OpenPGP certificates, armoured or not.
    folder
        Where relative paths begin.
    where
        Where they stand, for errors.

    Returns
    -------
    list of pysequoia.Cert
        One a file.

    Raises
    ------
    ConfigError
        If a file is missing or no certificate, or what encrypts is not installed.
    """
    if not paths:
        return []
    try:
        from pysequoia import Cert
    except ImportError as error:
        raise ConfigError(
            "What encrypts is not installed.", where=where, hint='Run `pip install "cdp-toolkit[pgp]"`.'
        ) from error
    keys = []
    for path in paths:
        try:
            keys.append(Cert.from_bytes((folder / path).read_bytes()))
        except Exception as error:
            raise ConfigError(
                f"{path} is no public key: {error}", where=where, hint="Ask the receiver for their OpenPGP certificate."
            ) from error
    return keys


def _gzipped(plain: Path, path: Path) -> None:
    with plain.open("rb") as source, path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _encrypted(plain: Path, path: Path, keys: Sequence[Any]) -> None:
    from pysequoia import encrypt_file

    encrypt_file(str(plain), str(path), recipients=list(keys), armor=False)
