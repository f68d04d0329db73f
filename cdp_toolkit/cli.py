"""The command line: one command per verb, no logic."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cdp_toolkit import forms
from cdp_toolkit.errors import CdpError, ConfigError, UnknownNameError
from cdp_toolkit.secrets import redact
from cdp_toolkit.segments.exchange import from_json, to_json
from cdp_toolkit.workspace import Workspace


def _end(*_: object, **__: object) -> None:
    if _state["failed"]:
        raise typer.Exit(1)


app = typer.Typer(
    result_callback=_end,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A B2B customer data platform in a folder.",
)
app.add_typer(forms.app, name="source")
_state: dict[str, Any] = {"workspace": Path(), "json": False, "failed": False}

AsOf = Annotated[str | None, typer.Option(help="What `now` means, such as 2026-11-01; the present by default.")]


@app.callback()
def main(
    workspace: Annotated[Path, typer.Option(help="Folder of the workspace.")] = Path(),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Load, stitch, segment and activate B2B customer data."""
    _state.update(workspace=workspace, json=as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    *,
    demo: Annotated[bool, typer.Option(help="Fill it with a made-up B2B world.")] = False,
    persons: Annotated[int, typer.Option(help="How many people the made-up world has.")] = 5_000,
) -> None:
    """Make a workspace."""
    if (folder / "cdp.yaml").exists():
        raise ConfigError("There is a workspace already.", where=str(folder), hint="Choose another folder.")
    if demo:
        from cdp_toolkit.demo import make_workspace

        make_workspace(folder, persons=persons)
    else:
        for name in ("segments", "destinations"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "cdp.yaml").write_text(f"name: {folder.resolve().name}\ntimezone: UTC\nsources: {{}}\n", "utf-8")
    _say(f"Made the workspace {folder}. Next: cdp --workspace {folder} run")


@app.command()
def load(sources: Annotated[list[str] | None, typer.Argument(help="Sources; all by default.")] = None) -> None:
    """Read what is new in the sources."""
    _show(_workspace().load(*(sources or ())))


@app.command()
def stitch(as_of: AsOf = None) -> None:
    """Find out which records are one, and make their profiles."""
    _show(_workspace().stitch(as_of=as_of))


@app.command()
def evaluate(
    segments: Annotated[list[str] | None, typer.Argument(help="Segments; all active ones by default.")] = None,
    as_of: AsOf = None,
) -> None:
    """Find out who is in which audience."""
    _show(_workspace().evaluate(*(segments or ()), as_of=as_of))


@app.command()
def activate(
    destinations: Annotated[
        list[str] | None, typer.Argument(help="Destinations; those that are due by default.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Tell all destinations, due or not.")] = False,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Send named destinations again what they refused.")
    ] = False,
    as_of: AsOf = None,
) -> None:
    """Tell destinations what changed."""
    workspace = _workspace()
    if redrive:
        for name in destinations or ():
            _show(workspace.redrive(name, as_of=as_of))
        return
    for name in destinations or ("",):
        _show(workspace.activate(name or None, dry_run=dry_run, now=now, as_of=as_of))


@app.command()
def activations(as_of: AsOf = None) -> None:
    """Show where each destination stands, and which are due."""
    _show(_workspace().activations(as_of=as_of))


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen; this machine only by default.")] = None,
    port: Annotated[int | None, typer.Option(help="On which port.")] = None,
    every: Annotated[float | None, typer.Option(help="Seconds between two rounds.")] = None,
    rounds: Annotated[bool, typer.Option(help="Load, stitch, evaluate and activate what was sent.")] = True,
    activate: Annotated[bool, typer.Option(help="Tell destinations in each round.")] = True,
) -> None:
    """Take messages as they are sent, and let audiences follow, until interrupted."""
    from cdp_toolkit.stream.serve import serve as serve_workspace

    serve_workspace(
        _workspace(),
        tell=lambda told: typer.echo(told, err=True),
        is_stitched=rounds,
        is_activated=activate,
        host=host,
        port=port,
        every_s=every,
    )


@app.command()
def inlet_key() -> None:
    """Make a key that may send to an inlet, and the digest of it for cdp.yaml."""
    from cdp_toolkit.stream.keys import make_key

    key, digest = make_key()
    _say(f"Key, for the sender (it is shown once):  {key}\nDigest, for `keys:` in cdp.yaml:         {digest}")


@app.command()
def run(
    *,
    notebooks: Annotated[bool, typer.Option(help="Run the notebooks and keep them with a report.")] = True,
    as_of: AsOf = None,
) -> None:
    """Load, stitch, evaluate and activate, through the notebooks."""
    if notebooks:
        from cdp_toolkit.explore.line import run_line

        _show(
            run_line(_state["workspace"], as_of=as_of or "", on_progress=lambda name: typer.echo(f"… {name}", err=True))
        )
        return
    workspace = _workspace()
    for done in (
        workspace.load(),
        workspace.stitch(as_of=as_of),
        workspace.evaluate(as_of=as_of),
        workspace.activate(as_of=as_of),
    ):
        _show(done)


Given = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="Such as as_of=today; may be repeated.")]


@app.command()
def notebook(
    name: Annotated[str, typer.Argument(help="Name of a notebook, such as 12_audience_report, or its path.")],
    parameter: Given = None,
    *,
    pdf: Annotated[bool, typer.Option(help="Print its page as PDF, too.")] = False,
) -> None:
    """Run one notebook unattended, and keep its page."""
    from cdp_toolkit.explore.jobs.execute import execute, find_notebook, given

    workspace = _workspace()
    _show(execute(workspace, find_notebook(workspace, name), given(parameter or ()), pdf=pdf))


@app.command()
def schedule(
    name: Annotated[str, typer.Argument(help="Name of a notebook, or its path.")],
    when: Annotated[str, typer.Argument(help='As in a crontab: "0 6 * * *" is 6:00 every day.')],
    parameter: Given = None,
) -> None:
    """Put a notebook on a schedule of the Lab; prints the lines for cron and Airflow."""
    from cdp_toolkit.explore.jobs.execute import given
    from cdp_toolkit.explore.jobs.schedule import schedule as put

    _say(str(put(_workspace(), name, when, given(parameter or ()))))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context, folder: Annotated[Path, typer.Option(help="Folder that it shows.")] = Path()) -> None:
    """Open JupyterLab on the notebooks."""
    from cdp_toolkit.explore.jobs.lab import lab as start

    raise typer.Exit(start(folder, *context.args))


@app.command()
def preview(
    pql: Annotated[str, typer.Option(help="The rule.")],
    entity: Annotated[str, typer.Option(help="person or account.")] = "person",
    as_of: AsOf = None,
) -> None:
    """Show who a rule would find."""
    _show(_workspace().preview(pql, entity, as_of=as_of))


@app.command()
def explain(
    segment: Annotated[str, typer.Argument(help="Name of the segment.")],
    profile: Annotated[str, typer.Argument(help="Profile id, e-mail address, ECID or source key.")],
    as_of: AsOf = None,
) -> None:
    """Say why someone is in an audience, or not."""
    _show(_workspace().explain(segment, profile, as_of=as_of))


@app.command()
def import_segment(
    file: Annotated[Path, typer.Argument(help="A definition as JSON, with its rule as pql/text.", exists=True)],
) -> None:
    """Save a segment that the reference system has exported."""
    segment = from_json(file.read_text("utf-8"), where=str(file))
    _say(f"Wrote {_workspace().save(segment)}.")


@app.command()
def export_segment(
    segment: Annotated[str, typer.Argument(help="Name of the segment.")],
    file: Annotated[Path | None, typer.Argument(help="File to write; shown if none is given.")] = None,
) -> None:
    """Write a segment as the reference system would export it."""
    known = _workspace().segments
    if segment not in known:
        raise UnknownNameError("segment", segment, known)
    text = to_json(known[segment])
    if file is None:
        typer.echo(text)
        return
    file.write_text(text + "\n", "utf-8")
    _say(f"Wrote {file}.")


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="Entity such as person, or table such as segments/history.")],
    file: Annotated[Path, typer.Argument(help="File to write, .csv or .parquet.")],
) -> None:
    """Write a table into a file."""
    _say(f"Wrote {_workspace().export(table, file)}.")


@app.command()
def status() -> None:
    """Show the last run of each verb."""
    workspace = _workspace()
    _say(repr(workspace))
    for verb in ("load", "stitch", "evaluate", "activate"):
        last = workspace.lake.log.last(verb)
        _say(f"{verb}: {last['outcome']}, {last['started_at']:%Y-%m-%d %H:%M} UTC" if last else f"{verb}: not yet")


@app.command()
def doctor() -> None:
    """Check every connection: login, permissions, what is left of its quota, and what to fix."""
    _show(_workspace().doctor())


def _workspace() -> Workspace:
    return Workspace(_state["workspace"])


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text, markup=False)


def _show(result: Any) -> None:
    if isinstance(result, list):
        for each in result:
            _show(each)
    elif _state["json"]:
        typer.echo(result.to_json() if hasattr(result, "to_json") else json.dumps({"text": str(result)}))
    elif hasattr(result, "__rich__"):
        Console().print(result)
    else:
        _say(str(result))
    _state["failed"] |= getattr(result, "outcome", "done") in {"partial", "failed"}


def entry() -> None:
    """Run the command line; errors of a user end in a message, not in a traceback."""
    try:
        app()
    except ConfigError as error:
        _fail(error, 2)
    except CdpError as error:
        _fail(error, 1)


def _fail(error: CdpError, code: int) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(redact(str(error)), markup=False)
    sys.exit(code)
