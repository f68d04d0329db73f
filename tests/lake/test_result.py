from cdp_toolkit.lake import Run


def test_a_run_tells_what_it_did_what_was_refused_and_what_comes_next():
    run = Run(
        "load", "partial", {"records": 1234}, problems=("leads.csv: cut off",), seconds=1.0, next_step="`stitch`."
    )

    assert str(run).splitlines() == [
        "load: partial (1,234 records), 1.0 s",
        "  ! leads.csv: cut off",
        "  → `stitch`.",
    ]


def test_a_run_shows_itself_in_a_notebook_and_lets_no_text_become_markup():
    run = Run(
        "load", "done", {"<b>": 1}, notes=("<script>",), details={"audiences": {"buyers": 2}}, next_step="`stitch`."
    )

    assert run._repr_html_() == (
        "<div><b>load</b>: done, 0.0 s<table><tr><td>&lt;b&gt;</td><td>1</td></tr></table>"
        "<details><summary>audiences</summary><table><tr><td>buyers</td><td>2</td></tr></table></details>"
        "<ul><li>&lt;script&gt;</li></ul><i><code>stitch</code>.</i></div>"
    )
