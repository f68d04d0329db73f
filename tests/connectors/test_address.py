"""Where calls may go is decided when the connection is made, and it is made to what was looked at."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.errors import ConfigError, ConnectorStopped
from tests.stand_ins.serve import serving

ONCE = Patience(attempts=1, first_s=0.0, most_s=0.0)


@pytest.fixture
def port():
    with serving(Starlette(routes=[Route("/", lambda call: PlainTextResponse(call.headers["host"]))])) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def names(monkeypatch):
    """Let names mean addresses, one list of them after the other, as a resolver of an attacker would."""
    meant, real = {}, socket.getaddrinfo

    def look_up(host, *rest, **options):
        answers = meant.get(host)
        if answers is None:
            return real(host, *rest, **options)
        addresses = answers.pop(0)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for address in addresses for entry in real(address, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return meant


def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_called(port, names):
    names["vendor.example"] = [["127.0.0.1"]]  # a second look would find nothing

    answer = Http("Vendor", f"http://vendor.example:{port}").call("GET", "/")

    assert answer.text == f"vendor.example:{port}"


def test_a_name_that_becomes_private_after_it_was_called_is_not_called_again(port, names):
    names["vendor.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    vendor = Http("Vendor", f"http://vendor.example:{port}")

    vendor.call("GET", "/")
    with pytest.raises(ConfigError, match=r"vendor.example is 10\.0\.0\.1, which is no public address") as refused:
        vendor.call("GET", "/")

    assert "CDP_ALLOW_NETWORKS=10.0.0.1/32" in refused.value.hint


def test_one_private_address_among_public_ones_is_enough_to_refuse(names, monkeypatch):
    monkeypatch.delenv("CDP_ALLOW_NETWORKS")
    names["vendor.example"] = [["8.8.8.8", "10.0.0.1"]]

    with pytest.raises(ConfigError, match=r"10\.0\.0\.1"):
        Http("Vendor", "https://vendor.example").call("GET", "/")


def test_a_host_with_an_address_that_does_not_answer_is_called_at_the_next(port, names):
    names["vendor.example"] = [["127.0.0.2", "127.0.0.1"]]  # the stand-in listens at the second only

    assert Http("Vendor", f"http://vendor.example:{port}").call("GET", "/").text == f"vendor.example:{port}"


def test_a_call_to_another_host_than_the_first_is_looked_at_too(port, names):
    names["inside.example"] = [["169.254.169.254"]]
    vendor = Http("Vendor", f"http://127.0.0.1:{port}")

    with pytest.raises(ConfigError, match=r"169\.254\.169\.254"):
        vendor.call("GET", "https://inside.example/latest/meta-data")


def test_a_host_that_is_not_found_is_tried_again_and_then_told(names):
    names["vendor.example"] = [[], []]
    twice = Patience(attempts=2, first_s=0.0, most_s=0.0)

    with pytest.raises(ConnectorStopped, match="cannot be reached"):
        Http("Vendor", "https://vendor.example", patience=twice).call("GET", "/")

    assert names["vendor.example"] == []


def test_what_is_no_network_is_told(monkeypatch):
    monkeypatch.setenv("CDP_ALLOW_NETWORKS", "10.0.0.0/8, office")

    with pytest.raises(ConfigError, match="office"):
        Http("Vendor", "https://vendor.example")
