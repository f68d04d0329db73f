"""A step that takes its time says so, and may be interrupted."""

import io
import threading

import pytest
from rich.console import Console

from cdp_toolkit.demo import make_workspace
from cdp_toolkit.workspace import Workspace
from cdp_toolkit.workspace.waiting import waiting


class Seen(io.StringIO):
    """A terminal that tells when something was shown on it."""

    def __init__(self):
        super().__init__()
        self.was_written = threading.Event()

    def write(self, text):
        self.was_written.set()
        return super().write(text)


def test_what_takes_its_time_is_shown_and_gone_at_the_end():
    terminal = Seen()

    with waiting("Stitching", Console(file=terminal, force_terminal=True, width=60), patience_s=0):
        assert terminal.was_written.wait(10)

    assert "Stitching" in terminal.getvalue()


def test_what_is_quick_and_what_nobody_sees_shows_nothing():
    terminal, file = Seen(), Seen()

    with waiting("Stitching", Console(file=terminal, force_terminal=True), patience_s=60):
        pass
    with waiting("Stitching", Console(file=file), patience_s=0):
        file.was_written.wait(0.2)

    assert terminal.getvalue() == file.getvalue() == ""


def test_a_step_that_is_interrupted_leaves_everything_as_it_was(tmp_path, monkeypatch):
    make_workspace(tmp_path, persons=60)
    ws = Workspace(tmp_path)
    ws.load()
    before = ws.lake.log.versions()
    collect = type(ws.lake.engine).collect

    def interrupted(self, frame):
        if len(calls) == 10:
            raise KeyboardInterrupt
        calls.append(1)
        return collect(self, frame)

    calls: list[int] = []
    monkeypatch.setattr(type(ws.lake.engine), "collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ws.stitch()
    monkeypatch.undo()

    assert ws.lake.log.versions() == before
    assert ws.stitch().outcome == "done"
