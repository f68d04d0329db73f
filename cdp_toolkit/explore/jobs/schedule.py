"""A notebook on a schedule: a job of the Lab, with the lines that do the same for cron and for Airflow."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.explore.jobs.execute import find_notebook
from cdp_toolkit.workspace import Workspace


@dataclass(frozen=True)
class Scheduled:
    """A notebook that runs on a schedule.

    Parameters
    ----------
    job
        Identifier of the job definition in the Lab's jobs page.
    is_live
        Whether a Lab that is running knows of it; else it does from its next start on.
    cron
        The line that does the same in a crontab.
    airflow
        The task that does the same in Airflow.
    """

    job: str
    is_live: bool
    cron: str
    airflow: str

    def __str__(self) -> str:
        """Return what was scheduled, and the other ways to do the same."""
        where = (
            "It is in the Lab's jobs page." if self.is_live else "The Lab's jobs page has it when the Lab starts next."
        )
        note = "It runs while the Lab runs; where no Lab does, take one of these instead."
        return f"Scheduled as job {self.job}. {where} {note}\n\n# crontab\n{self.cron}\n\n# Airflow\n{self.airflow}"

    __repr__ = __str__


def schedule(ws: Workspace, notebook: str, when: str, parameters: Mapping[str, Any]) -> Scheduled:
    """Put a notebook on a schedule.

    Parameters
    ----------
    ws
        The workspace.
    notebook
        Its name.
    when
        As in a crontab, such as ``0 6 * * *``, in the workspace's time zone.
    parameters
        Values for its parameters cell.

    Returns
    -------
    Scheduled
        The job, and the lines for cron and Airflow.

    Raises
    ------
    ConfigError
        If the schedule is none, or the notebook has no such parameter.
    """
    path = find_notebook(ws, notebook).resolve()
    _check(path, when, parameters)
    folder = ws.folder.resolve()
    definition = {
        "input_filename": path.name,
        "name": path.stem,
        "runtime_environment_name": _environment(),
        "output_formats": ["ipynb", "html"],
        "parameters": {"workspace": str(folder), **{name: str(value) for name, value in parameters.items()}},
        "schedule": when,
        "timezone": ws.settings.timezone,
    }
    job, is_live = _register(path, definition)
    command = _command(folder, path.stem, parameters)
    return Scheduled(
        job,
        is_live,
        f"{when} {command}",
        _AIRFLOW.format(name=path.stem, when=when, command=command, timezone=ws.settings.timezone),
    )


def _check(path: Path, when: str, parameters: Mapping[str, Any]) -> None:
    import papermill
    from croniter import croniter

    if not croniter.is_valid(when):
        raise ConfigError(
            f"{when!r} is no schedule.",
            where="schedule",
            hint='Write it as in a crontab: "0 6 * * *" is 6:00 every day.',
        )
    known = papermill.inspect_notebook(str(path))
    for name in parameters:
        if name not in known:
            raise ConfigError(f"{path.stem} has no parameter {name!r}.", where="-p", hint=f"It has {', '.join(known)}.")


def _environment() -> str:
    from jupyter_scheduler.environments import CondaEnvironmentManager

    return str(CondaEnvironmentManager().list_environments()[0].name)


def _register(path: Path, definition: dict[str, Any]) -> tuple[str, bool]:
    """Tell a Lab that runs on a folder above the notebook; else write where the next one looks."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        root = Path(server["root_dir"]).resolve()
        if path.is_relative_to(root):
            job = _posted(server, definition | {"input_uri": str(path.relative_to(root))})
            if job:
                return job, True
    return _written(path, definition), False


def _posted(server: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    import httpx

    try:
        answer = httpx.post(
            f"{server['url']}scheduler/job_definitions",
            json=definition,
            headers={"Authorization": f"token {server['token']}"},
            timeout=30,
        )
        return str(answer.json().get("job_definition_id", "")) if answer.is_success else ""
    except (httpx.HTTPError, ValueError):
        return ""  # it ended without saying so, or has no jobs


def _written(path: Path, definition: Mapping[str, Any]) -> str:
    from jupyter_core.paths import jupyter_data_dir
    from jupyter_scheduler.environments import CondaEnvironmentManager
    from jupyter_scheduler.models import CreateJobDefinition
    from jupyter_scheduler.orm import create_tables
    from jupyter_scheduler.scheduler import Scheduler

    Path(jupyter_data_dir()).mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{jupyter_data_dir()}/scheduler.sqlite"
    create_tables(address)
    scheduler = Scheduler(root_dir=str(path.parent), environments_manager=CondaEnvironmentManager(), db_url=address)
    scheduler.task_runner = None  # a Lab runs jobs; this process ends
    return str(scheduler.create_job_definition(CreateJobDefinition(**definition, input_uri=path.name)))


def _command(folder: Path, notebook: str, parameters: Mapping[str, Any]) -> str:
    program = Path(sys.executable).parent / "cdp"
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}={_spelt(value)}")]
    return shlex.join([str(program), "--workspace", str(folder), "notebook", notebook, *given])


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_AIRFLOW = """import pendulum
from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

start = pendulum.datetime(2026, 1, 1, tz={timezone!r})
with DAG({name!r}, schedule={when!r}, start_date=start, catchup=False, max_active_runs=1):
    BashOperator(task_id={name!r}, bash_command={command!r})"""
