"""A folder somewhere else, by fsspec: object stores, SFTP servers, web servers.

A file is copied to this machine's disk before it is read, and from there when it is written: so what breaks off on the way
is tried again, and nobody sees half a file.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import stamina

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.place import Mark
from cdp_toolkit.errors import ConfigError, ConnectorStopped, SourceError
from cdp_toolkit.secrets import redact, reveal_address, reveal_all

_PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "sftp": "sshfs",
    "ssh": "sshfs",
}
# Names under which file systems tell that a file is another one.
_TAGS = ("ETag", "etag", "md5Hash", "Content-MD5")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime")
_PATIENCE = Patience(attempts=4, first_s=0.5, most_s=10.0)

Value = TypeVar("Value")


class RemotePlace:
    """A folder behind a file system of fsspec.

    Parameters
    ----------
    address
        Of the folder, or of the only file in it.
    options
        Settings of the file system, with references to secrets.
    where
        Where the address stands, for errors.
    patience
        How often what fails on the way is tried again.

    Raises
    ------
    ConfigError
        If nothing that is installed knows such addresses.
    """

    def __init__(
        self, address: str, options: Mapping[str, Any], *, where: str, patience: Patience | None = None
    ) -> None:
        self._address, self._options, self._where = address, options, where
        self._patience = patience or _PATIENCE
        self._kind = _file_system(address.partition("://")[0], where)

    def where(self, name: str = "") -> str:
        """Return an address; see ``Place.where``."""
        folder = self._address.partition("?")[0]
        return f"{folder.rstrip('/')}/{name}" if name and not self._is_file else folder

    def files(self) -> dict[str, Mark]:
        """Return what the file system tells of each file; see ``Place.files``."""
        return self._tried(self._listed, "cannot be read")

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Copy the file here; see ``Place.fetched``."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name.rpartition("/")[2]
            try:
                self._tried(lambda: self._copied(name, path), "cannot be fetched", name)
            except ConnectorStopped as error:  # of one file; the others may be there
                raise SourceError(error.message, where=error.where, hint=error.hint) from error
            yield path

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        """Copy a file there; see ``Place.written``."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name.rpartition("/")[2]
            yield path
            self._tried(lambda: self._put(path, name), "cannot be written", name)

    def rename(self, name: str, new: str) -> None:
        """Rename there; see ``Place.rename``."""
        self._tried(lambda: self._renamed(name, new), "cannot be renamed", name)

    def exists(self, name: str) -> bool:
        """Ask whether there is such a file; see ``Place.exists``."""
        return self._tried(lambda: self._is_there(name), "cannot be read", name)

    def remove(self, name: str) -> None:
        """Delete there; see ``Place.remove``."""
        self._tried(lambda: self._system.rm_file(self._path(name)), "cannot be deleted", name)

    @cached_property
    def _system(self) -> Any:
        address = reveal_address(self._address, where=self._where)
        given = self._kind._get_kwargs_from_urls(address)  # noqa: SLF001 - how fsspec itself reads an address
        given |= {name: unquote(given[name]) for name in ("username", "password") if given.get(name)}
        options = reveal_all(self._options, where=self._where)
        return self._kind(**given, **options, skip_instance_cache=True)  # or fsspec would keep it, with the secrets

    @cached_property
    def _root(self) -> str:
        return str(self._kind._strip_protocol(reveal_address(self._address, where=self._where))).rstrip("/")  # noqa: SLF001

    @cached_property
    def _is_file(self) -> bool:
        """Whether the address is that of a file; of a web server one does not end with a slash."""
        if self._address.startswith("http"):
            return not self._address.partition("?")[0].endswith("/")
        return bool(self._system.isfile(self._root))

    def _path(self, name: str) -> str:
        return self._root if self._is_file else f"{self._root}/{name}"

    def _listed(self) -> dict[str, Mark]:
        self._system.invalidate_cache()
        if self._is_file:
            name = self._root.partition("?")[0].rpartition("/")[2]
            return {name: _mark(self._system.info(self._root))}
        if self._address.startswith("http"):
            self._system.info(f"{self._root}/")  # of a folder that is not there, `find` only finds nothing
            found = {path: self._system.info(path) for path in self._system.find(f"{self._root}/")}
        else:
            self._system.ls(self._root)
            found = self._system.find(self._root, detail=True)
        marks = {path.removeprefix(f"{self._root}/"): _mark(info) for path, info in found.items()}
        return dict(sorted(marks.items()))

    def _copied(self, name: str, path: Path) -> None:
        size = self._system.info(self._path(name)).get("size")
        self._system.get_file(self._path(name), str(path))
        if size is not None and path.stat().st_size != size:
            raise OSError(f"{path.stat().st_size} of {size} bytes came")

    def _put(self, path: Path, name: str) -> None:
        target = self._path(name)
        self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._system.put_file(str(path), target)

    def _renamed(self, name: str, new: str) -> None:
        if self._is_there(name):  # and was not renamed by an attempt whose answer was lost
            self._system.mv(self._path(name), self._path(new))

    def _is_there(self, name: str) -> bool:
        self._system.invalidate_cache()
        return bool(self._system.isfile(self._path(name)))

    def _tried(self, call: Callable[[], Value], doing: str, name: str = "") -> Value:
        patience = self._patience
        try:
            for attempt in stamina.retry_context(
                on=_is_transient, attempts=patience.attempts, timeout=None, wait_initial=patience.first_s,
                wait_max=patience.most_s, wait_jitter=patience.first_s,
            ):  # fmt: skip
                with attempt:
                    return call()
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - every file system has errors of its own
            raise ConnectorStopped(
                f"It {doing}: {_told(error)}", where=self.where(name), hint=_hint(error, self._address)
            ) from None
        raise AssertionError  # the loop returns or raises


def _file_system(scheme: str, where: str) -> Any:
    import fsspec

    try:
        return fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise ConfigError(
            f"There is no file system {scheme!r}.", where=where, hint="Use s3, gs, abfss, sftp or https."
        ) from error
    except ImportError as error:
        package = _PACKAGES.get(scheme, "the package that fsspec asks for")
        raise ConfigError(
            f"What reads {scheme}: is not installed.",
            where=where,
            hint=f'Run `pip install "cdp-toolkit[cloud]"`, or install {package}.',
        ) from error


def _mark(info: Mapping[str, Any]) -> Mark:
    told = {"size": info.get("size")}
    for key, names in (("tag", _TAGS), ("time", _TIMES)):
        value = next((info[name] for name in names if info.get(name) is not None), None)
        if value is not None:
            told[key] = str(value)
    return told


def _is_transient(error: Exception) -> bool:
    final = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, ConfigError)
    return not isinstance(error, final) and "credential" not in str(error).casefold()


def _told(error: Exception) -> str:
    text = redact(" ".join(str(error).split()))
    return text if text and not isinstance(error, FileNotFoundError) else type(error).__name__


def _hint(error: Exception, address: str) -> str:
    match error:
        case FileNotFoundError():
            return "Check bucket, folder and name in `path`."
        case PermissionError():
            return "Check the credentials in `options`, and what they may do there."
        case _ if "host key" in str(error).casefold():
            return "Add the server's key to ~/.ssh/known_hosts, or name a file with it: `options: {known_hosts: FILE}`."
        case _:
            return f"Check that this machine reaches {address.partition('://')[0]}, and the credentials in `options`."
