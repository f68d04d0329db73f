"""What a user may say about a destination."""

from importlib.resources import files

import pytest
import yaml

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.errors import ConfigError, UnknownNameError

DEMO = sorted(files("cdp_toolkit.demo").joinpath("workspace/destinations").iterdir(), key=lambda file: file.name)


@pytest.mark.parametrize("file", DEMO, ids=lambda file: file.name)
def test_the_destinations_of_the_demo_open_and_are_named_as_their_files(file, tmp_path):
    destination = Destination.model_validate(yaml.safe_load(file.read_text("utf-8")))

    open_connection(destination, tmp_path)

    assert file.name == f"{destination.name}.yaml"


def test_a_destination_without_an_audience_is_refused_with_what_to_add():
    with pytest.raises(ConfigError, match="names no audience") as error:
        Destination(name="out", type="files", audiences=[])

    assert "Add `audiences: [SEGMENT]`" in error.value.hint


def test_the_audiences_say_whether_people_or_accounts_are_sent():
    destination = Destination(name="out", type="files", audiences=["targets"])

    assert destination.entity({"targets": "account", "buyers": "person"}) == "account"


def test_audiences_of_people_and_accounts_are_not_mixed():
    destination = Destination(name="out", type="files", audiences=["targets", "buyers"])

    with pytest.raises(ConfigError, match="account and person"):
        destination.entity({"targets": "account", "buyers": "person"})


def test_an_audience_that_is_no_segment_is_answered_with_the_nearest():
    destination = Destination(name="out", type="files", audiences=["buyer"])

    with pytest.raises(UnknownNameError, match="'buyers'"):
        destination.entity({"buyers": "person"})
