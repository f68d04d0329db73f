"""One profile as a page."""

from cdp_toolkit.profiles.page import page


def test_a_page_shows_values_with_their_origin_and_rows_by_kind_and_leaves_out_what_is_empty():
    origin = {
        "column": "city",
        "value": "Graz",
        "source_key": "1@m.M",
        "updated_at": None,
        "rule": "latest",
        "others": ["Bonn"],
    }
    derived = {
        "column": "visits",
        "value": 1234,
        "source_key": None,
        "updated_at": None,
        "rule": "computed: xEvent.count()",
        "others": [],
    }

    shown = page(
        "Anna", "person 1", [origin, derived], {"Accounts": [{"account_name": "Acme", "x": None}], "Segments": []}
    )

    assert "<tr><td>city</td><td>Graz</td><td>1@m.M</td><td>latest</td><td>Bonn</td></tr>" in shown
    assert "<td class='number'>1,234</td>" in shown
    assert "<h4>Accounts</h4>" in shown
    assert "<th>x</th>" not in shown
    assert "Segments" not in shown


def test_what_data_says_is_never_markup():
    shown = page("<b>", "<i>", [], {"<u>": [{"<s>": "<script>"}]})

    assert not any(tag in shown for tag in ("<b>", "<i>", "<u>", "<s>", "<script>"))
