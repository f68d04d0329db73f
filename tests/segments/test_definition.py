"""A segment is the same in Python and in its file."""

import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.definition import Segment


def test_a_segment_is_read_as_it_was_written():
    segment = Segment(
        name="buyers", description="Who buys: all", pql="a = 1\nand b = 2\n", tags=("web",), status="draft"
    )

    text = segment.to_yaml()

    assert Segment.from_yaml(text) == segment
    assert "pql: |\n  a = 1\n  and b = 2\n" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: Big Buyers\npql: a = 1", "name: String should match pattern"),
        ("name: buyers\npql: a = 1\nentty: person", "entty: Extra inputs are not permitted"),
        ("name: buyers", "pql: Field required"),
        ("name: [", "The file is not YAML"),
        ("- 1", "the file: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_file_is_refused_with_the_setting_that_is_wrong(text, message):
    with pytest.raises(ConfigError, match=r"segments/buyers\.yaml") as caught:
        Segment.from_yaml(text, where="segments/buyers.yaml")

    assert caught.value.message.startswith(message)
