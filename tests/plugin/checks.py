"""What a package with connectors has among its own tests."""

import json

from cdp_toolkit_guests.destination import GuestList
from cdp_toolkit_guests.source import GuestBook

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.testing import check_destination, check_source


def test_the_guest_book_is_a_source(tmp_path):
    lines = [f"Guest {number} <g{number}@x.example>" for number in range(250)]
    (tmp_path / "guests.txt").write_text("\n".join(lines), "utf-8")

    check_source(lambda: GuestBook({"path": "guests.txt"}, folder=tmp_path, objects={}, where="cdp.yaml"))


def test_the_guest_list_is_a_destination(tmp_path):
    defined = Destination(name="door", type="guest_list", audiences=["guests"], path="door.json")

    check_destination(
        lambda: GuestList(defined, tmp_path),
        [{"email": "a@x.example"}, {"email": "b@x.example"}],
        audience="guests",
        held=lambda: json.loads((tmp_path / "door.json").read_text("utf-8"))["guests"],
    )
