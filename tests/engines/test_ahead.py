"""Work that is begun before it is asked for."""

import pytest

from cdp_toolkit.engines.ahead import Ahead


def test_work_is_done_once_however_often_it_is_asked_for(engine):
    calls = []

    with Ahead(engine) as ahead:
        found = ahead.begin(lambda: calls.append("done") or len(calls))

        assert (found(), found()) == (1, 1)
    assert calls == ["done"]


def test_what_work_raises_is_raised_where_it_is_asked_for(engine):
    def broken():
        raise OSError("The disk is gone.")

    with Ahead(engine) as ahead:
        found = ahead.begin(broken)

        with pytest.raises(OSError, match="The disk is gone"):
            found()
