"""The endpoint and the rounds of a workspace, until somebody ends them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from starlette.applications import Starlette

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.sources.inlets import InletSettings, StreamSettings, log_file
from cdp_toolkit.sources.log import MessageLog
from cdp_toolkit.sources.settings import read_settings
from cdp_toolkit.sources.source import Streaming
from cdp_toolkit.stream.appender import Appender
from cdp_toolkit.stream.audit import Audit
from cdp_toolkit.stream.inlet import Inlet
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.stream.rounds import Round, Rounds, landed
from cdp_toolkit.stream.server import Endpoint
from cdp_toolkit.workspace import Workspace

_KEEP_ALIVE_S = 75  # longer than clients keep a connection unused, so that none is closed under a request


def serve(
    workspace: Workspace,
    *,
    tell: Callable[[str], None],
    is_stitched: bool = True,
    is_activated: bool = True,
    **changed: Any,
) -> None:
    """Take messages and carry out rounds, until interrupted.

    Parameters
    ----------
    workspace
        The workspace; its inlets are its sources of type ``inlet``.
    tell
        Is told where the endpoint listens, and what each round did.
    is_stitched
        Whether rounds are carried out; otherwise messages wait for the batch line.
    is_activated
        Whether rounds tell destinations.
    **changed
        Settings instead of those under ``stream`` in ``cdp.yaml``, such as ``port``.

    Raises
    ------
    ConfigError
        If there is no inlet, or the workspace is being served already.
    """
    settings = StreamSettings.model_validate(
        workspace.settings.stream.model_dump() | {name: value for name, value in changed.items() if value is not None}
    )
    names, metrics = streamed(workspace), Metrics()
    if not names:
        raise ConfigError(
            "The workspace has no source that messages are sent to.",
            where=str(workspace.folder / "cdp.yaml"),
            hint="Add a source of `type: inlet` or `type: nats`, see docs/streaming.md.",
        )
    appender = _appender(workspace, settings)
    sources = [source for name in names if isinstance(source := workspace.sources[name][1], Streaming)]
    rounds = Rounds(
        workspace.folder,
        names,
        every_s=settings.every_s,
        whole_every_s=settings.whole_every_s,
        waiting=lambda: sum(each.waiting() for each in sources),
        metrics=metrics,
        forget=appender.forget,
        tell=lambda each: tell(_sentence(each)),
        is_activated=is_activated,
    )
    with _alone(workspace.folder), _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        kind = "https" if settings.certificate else "http"
        tell(f"Taking messages for {', '.join(names)} at {kind}://{host}:{port}")
        if is_stitched:
            rounds.start()
        try:
            _run(application(workspace, settings, metrics, appender), settings, listener)
        finally:
            rounds.stop()


def inlets_of(workspace: Workspace) -> dict[str, Inlet]:
    """Return the inlets of a workspace.

    Parameters
    ----------
    workspace
        The workspace.

    Returns
    -------
    dict
        Inlets by name.

    """
    told = {name: each for name, each in workspace.settings.sources.items() if each.get("type") == "inlet"}
    return {
        name: Inlet(
            name,
            read_settings(each, InletSettings, where=f"cdp.yaml, sources.{name}"),
            workspace.sources[name][0].mapping,
        )
        for name, each in told.items()
    }


def streamed(workspace: Workspace) -> tuple[str, ...]:
    """Return the sources that rounds load: those whose messages wait.

    Parameters
    ----------
    workspace
        The workspace.

    Returns
    -------
    tuple of str
        Their names; others are loaded by the batch line.
    """
    return tuple(name for name, (_, source) in workspace.sources.items() if isinstance(source, Streaming))


def application(
    workspace: Workspace, settings: StreamSettings, metrics: Metrics, appender: Appender | None = None
) -> Starlette:
    """Return the endpoint of a workspace as an application.

    Parameters
    ----------
    workspace
        The workspace.
    settings
        Limits.
    metrics
        Counts.
    appender
        Writes messages; one of its own by default.

    Returns
    -------
    starlette.applications.Starlette
        For any ASGI server; one process only, since the log has one writer.
    """
    return Endpoint(
        inlets=inlets_of(workspace),
        model=workspace.model,
        settings=settings,
        appender=appender or _appender(workspace, settings),
        metrics=metrics,
        audit=Audit(log_file(workspace.folder).with_name("audit.log")),
    ).app()


def _appender(workspace: Workspace, settings: StreamSettings) -> Appender:
    log = MessageLog(log_file(workspace.folder), remember=timedelta(days=settings.remember_days))
    if not log.last():  # it is new, or was lost: the lake takes what comes behind its own numbers for new
        log.begin_behind(max(landed(workspace, tuple(inlets_of(workspace))).values(), default=0))
    return Appender(log, most_waiting=settings.most_waiting)


def _run(app: Starlette, settings: StreamSettings, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listening(settings: StreamSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen at {settings.host}:{settings.port}: {error.strerror}.",
            where="stream",
            hint="Choose another port with `--port`.",
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(log_file(folder).with_name("serve.lock"))
    log_file(folder).parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            "The workspace is being served already.", where=str(folder), hint="End the other `cdp serve` first."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _sentence(each: Round) -> str:
    if each.outcome == "waited":
        return "Another run is writing to the lake: this round waits for the next."
    took = ", ".join(f"{verb} {seconds:.1f} s" for verb, seconds in each.seconds.items())
    moved = f"{each.entered:,} entered, {each.exited:,} left; lag {each.lag_s:.0f} s ({took})"
    return f"{each.outcome}: {'; '.join([moved, *each.problems])}"
