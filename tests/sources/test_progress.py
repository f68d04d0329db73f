"""Whoever waits sees how far a load has come."""

import io

from rich.console import Console

from cdp_toolkit.sources.progress import bars


def shown(*, is_terminal, seconds):
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=100)
    moments = iter([0.0, seconds, seconds])
    with bars(console, clock=lambda: next(moments)) as progress:
        progress("crm", "deals", rows=1200, share=0.25)
        progress("crm", "owners", rows=7, share=None)
    return console.file.getvalue()


def test_a_load_that_takes_a_while_shows_share_and_rows_of_each_object():
    text = shown(is_terminal=True, seconds=3.0)

    assert all(part in text for part in ("crm deals", "25%", "1,200 rows", "crm owners", "7 rows"))


def test_a_short_load_and_one_that_nobody_watches_show_nothing():
    assert shown(is_terminal=True, seconds=1.0) == ""
    assert shown(is_terminal=False, seconds=3.0) == ""
