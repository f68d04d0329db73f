"""The graph of a profile shows its links and what was refused, and hides personal values unless asked."""

import vl_convert

from cdp_toolkit.explore import numbers
from cdp_toolkit.explore.identity import draw
from cdp_toolkit.identity.explain import IdentityExplanation

ANNA = IdentityExplanation(
    7,
    ["1@m.M", "2@s.S (deleted)"],
    [{"source_key": "2@s.S", "hub": "1@m.M", "namespace": "email", "value": "anna@acme.example"}],
    [{"source_key": "1@m.M", "namespace": "ecid", "value": "42", "reason": "would join two names"}],
)


def _svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[])


def test_records_shared_values_and_refusals_are_drawn_without_a_network():
    svg = _svg(draw(ANNA))

    for text in ("1@m.M", "2@s.S (deleted)", "email a•••@acme.example", "would join two names", "was refused"):
        assert text in svg


def test_values_are_shown_whole_only_when_asked():
    assert "anna@acme.example" not in draw(ANNA).to_json()
    assert "anna@acme.example" in draw(ANNA, is_masked=False).to_json()


def test_a_profile_of_one_record_that_shares_nothing_is_drawn_too():
    assert "1@m.M" in _svg(draw(IdentityExplanation(7, ["1@m.M"])))


def test_a_real_profile_is_drawn_with_all_its_records(ws):
    found = ws.explain_identity(numbers.most_records(ws.lake))

    svg = _svg(draw(found))

    assert len(found.records) > 1
    assert all(record in svg for record in found.records)
