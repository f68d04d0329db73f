"""Notebooks that run by themselves: never doubled, nothing secret, told of when they fail, and seen in the Lab."""

import ast
import json
import shlex
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import pytest
from filelock import FileLock

from cdp_toolkit.errors import ConfigError, LakeBusyError, UnknownNameError
from cdp_toolkit.explore.jobs.execute import execute, find_notebook, given
from cdp_toolkit.explore.jobs.lab import WELCOME, arrange, command
from cdp_toolkit.explore.jobs.schedule import schedule
from cdp_toolkit.workspace import Workspace

# What the Lab's scheduler is made of warns of itself.
SCHEDULER = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def workspace(tmp_path):
    def workspace(*lines, cells=("f'as of {as_of}'",)):
        (tmp_path / "cdp.yaml").write_text("\n".join(["name: acme", *lines, ""]), "utf-8")
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        code = nbformat.v4.new_code_cell
        first = code(
            'workspace = "."  # folder\nas_of = ""  # now\nlimit = 1  # how many', metadata={"tags": ["parameters"]}
        )
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=[first, *map(code, cells)], metadata=kernel)
        nbformat.write(notebook, tmp_path / "notebooks" / "daily.ipynb")
        return Workspace(tmp_path)

    return workspace


@contextmanager
def serving(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def webhook():
    received = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Hook)) as port:
        yield f"http://127.0.0.1:{port}", received


@pytest.fixture
def post_office():
    """Serve SMTP as far as one message needs it."""
    received = []

    class Postman(socketserver.StreamRequestHandler):
        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self):
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                    received.append("\n".join(lines))
                self.say("221 bye" if verb == "QUIT" else "250 fine")
                if verb == "QUIT":
                    return

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postman)) as port:
        yield f"smtp://127.0.0.1:{port}", received


def _run(ws, **parameters):
    return execute(ws, find_notebook(ws, "daily"), parameters)


def test_a_run_keeps_its_copy_its_page_its_log_and_what_it_was_given(workspace):
    done = _run(workspace(), as_of="2026-03-01")

    assert done.outcome == "done"
    assert "as of 2026-03-01" in done.executed.page.read_text("utf-8")
    assert {file.suffix for file in done.folder.iterdir()} == {".ipynb", ".html", ".log"}
    assert '"as_of": "2026-03-01"' in (done.folder / "daily.log").read_text("utf-8")


def test_a_run_in_progress_is_not_doubled(workspace):
    ws = workspace()
    (ws.folder / ".locks").mkdir()

    with FileLock(ws.folder / ".locks" / "daily.lock"), pytest.raises(LakeBusyError, match="running already"):
        _run(ws)

    assert not (ws.folder / "runs").exists()
    assert _run(ws).outcome == "done"


def test_a_failure_is_told_to_the_webhook_with_the_cell(workspace, webhook, monkeypatch):
    address, received = webhook
    monkeypatch.setenv("TEAM_WEBHOOK", f"{address}/hook-4711")

    done = _run(workspace("notify: {webhook: '${env:TEAM_WEBHOOK}'}", cells=("1 / 0",)), limit=3)

    assert done.outcome == "failed"
    ((path, told),) = received
    assert path == "/hook-4711"
    assert told["problem"] == "Cell 3 of daily failed: division by zero"
    assert told["parameters"] == {"limit": 3}
    assert "ZeroDivisionError" in done.executed.page.read_text("utf-8")


def test_a_failure_is_told_by_mail(workspace, post_office):
    address, received = post_office

    _run(workspace(f"notify: {{email: [ops@acme.example], smtp: '{address}'}}", cells=("1 / 0",)))

    (message,) = received
    assert "Subject: daily failed in acme" in message
    assert "Cell 3 of daily failed: division by zero" in message


def test_who_cannot_be_told_is_said_and_ends_nothing(workspace):
    done = _run(
        workspace(
            "notify: {webhook: 'http://127.0.0.1:9/', email: [a@b.example], smtp: 'smtp://127.0.0.1:9'}",
            cells=("1 / 0",),
        )
    )

    assert [note.partition(":")[0] for note in done.notes] == ["No word was sent to the webhook", "No e-mail was sent"]


def test_secrets_are_in_no_executed_notebook_page_or_message(workspace, webhook, monkeypatch):
    address, received = webhook
    monkeypatch.setenv("CRM_PASSWORD", "s3cret-of-the-crm")
    cells = ("import os; print(os.environ['CRM_PASSWORD'])", "raise ValueError(os.environ['CRM_PASSWORD'])")
    source = "sources: {crm: {type: sql, address: 'postgresql://me:${env:CRM_PASSWORD}@db.example/crm'}}"

    done = _run(workspace(source, f"notify: {{webhook: '{address}'}}", cells=cells))

    kept = "".join(file.read_text("utf-8") for file in done.folder.iterdir()) + str(received) + str(done)
    assert "s3cret-of-the-crm" not in kept
    assert "${env:CRM_PASSWORD}" in kept


@SCHEDULER
def test_a_schedule_is_a_job_of_the_lab_a_line_of_cron_and_a_task_of_airflow(workspace, tmp_path, monkeypatch):
    for name in ("DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    ws = workspace("timezone: Europe/Berlin")

    put = schedule(ws, "daily", "0 6 * * *", given(["as_of=today", "limit=3"]))

    (job,) = _definitions(tmp_path / "DATA")
    assert (job.job_definition_id, job.name, job.schedule, job.timezone) == (
        put.job,
        "daily",
        "0 6 * * *",
        "Europe/Berlin",
    )
    assert job.parameters == {"workspace": str(ws.folder.resolve()), "as_of": "today", "limit": "3"}
    assert shlex.split(put.cron)[5:][-6:] == ["notebook", "daily", "-p", "as_of=today", "-p", "limit=3"]
    assert put.cron.split(maxsplit=5)[5] in [
        each.value for each in ast.walk(ast.parse(put.airflow)) if isinstance(each, ast.Constant)
    ]


def _definitions(folder):
    from jupyter_scheduler.models import ListJobDefinitionsQuery

    return _scheduler(folder).list_job_definitions(ListJobDefinitionsQuery()).job_definitions


def _scheduler(folder):
    from jupyter_scheduler.environments import CondaEnvironmentManager
    from jupyter_scheduler.orm import create_tables
    from jupyter_scheduler.scheduler import Scheduler

    address = f"sqlite:///{folder}/scheduler.sqlite"
    create_tables(address)
    return Scheduler(root_dir=str(folder), environments_manager=CondaEnvironmentManager(), db_url=address)


@pytest.mark.parametrize(
    ("when", "parameters", "said"),
    [("every day", {}, "no schedule"), ("0 6 * * *", {"as_off": "today"}, "no parameter 'as_off'")],
)
def test_a_schedule_that_could_not_run_is_refused(workspace, when, parameters, said):
    with pytest.raises(ConfigError, match=said):
        schedule(workspace(), "daily", when, parameters)


def test_an_unknown_notebook_names_the_nearest(workspace):
    with pytest.raises(UnknownNameError, match="12_audience_report"):
        find_notebook(workspace(), "12_audience_reports")


@SCHEDULER
@pytest.mark.parametrize(("cell", "status"), [("f'as of {as_of}'", "COMPLETED"), ("1 / 0", "FAILED")])
def test_a_job_of_the_lab_runs_in_its_workspace_and_says_what_became_of_it(workspace, tmp_path, cell, status):
    from jupyter_scheduler.orm import Job

    from cdp_toolkit.explore.jobs.manager import NotebookJob

    ws, staged = workspace(cells=(cell,)), tmp_path / "staged"
    staged.mkdir()
    (staged / "daily.ipynb").write_bytes((ws.folder / "notebooks" / "daily.ipynb").read_bytes())
    scheduler = _scheduler(tmp_path)
    with scheduler.db_session() as session:
        session.add(Job(job_id="one", name="daily", input_filename="daily.ipynb", output_formats=["ipynb", "html"],
                        runtime_environment_name="python", parameters={"workspace": str(ws.folder), "as_of": "today"}))  # fmt: skip
        session.commit()
    paths = {
        "input": str(staged / "daily.ipynb"),
        "ipynb": str(staged / "copy.ipynb"),
        "html": str(staged / "copy.html"),
    }

    NotebookJob("one", str(tmp_path), scheduler.db_url, paths).process()

    job = scheduler.get_job("one", job_files=False)
    assert job.status == status
    assert ("Cell 3 of daily failed" in (job.status_message or "")) == (status == "FAILED")
    assert ("as of today" if status == "COMPLETED" else "ZeroDivisionError") in (staged / "copy.html").read_text(
        "utf-8"
    )


def test_the_lab_starts_on_the_welcome_notebook_with_jobs_that_are_ours(tmp_path):
    arrange(tmp_path / "workspaces")

    (file,) = (tmp_path / "workspaces").iterdir()
    assert f"notebooks/{WELCOME}" in file.read_text("utf-8")
    assert any(part.endswith(f"/lab/workspaces/cdp/tree/notebooks/{WELCOME}") for part in command(tmp_path))
    assert any("NotebookJob" in part for part in command(tmp_path))


def test_today_and_yesterday_begin_at_midnight_in_the_workspace():
    from cdp_toolkit.workspace.moments import moment_of

    today, yesterday = (moment_of(word, "Europe/Berlin") for word in ("today", "yesterday"))

    assert today.astimezone().utcoffset() is not None
    assert today.minute == 0
    assert 23 <= (today - yesterday).total_seconds() / 3600 <= 25
