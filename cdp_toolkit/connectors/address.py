"""Where calls may go: not into the network that this machine stands in, unless someone says so.

A name may mean a public address when it is looked at and a private one when it is called (DNS rebinding). So the address
is looked up and checked when a connection is made, and the connection is made to that very address.
"""

import ipaddress
import os
import socket
import threading
from collections.abc import Sequence
from urllib.request import getproxies

import httpx

from cdp_toolkit.errors import ConfigError, ConnectorStopped

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALLOW = "CDP_ALLOW_NETWORKS"
"""Variable of the environment: networks that all connectors may call besides the public ones, divided by commas."""


def allowed_networks(own: Sequence[Network] = ()) -> tuple[Network, ...]:
    """Return the networks that may be called besides the public ones.

    Parameters
    ----------
    own
        Those that a definition allows.

    Returns
    -------
    tuple of Network
        These, and those that ``CDP_ALLOW_NETWORKS`` names.

    Raises
    ------
    ConfigError
        If the variable names something else.
    """
    named = [each.strip() for each in os.environ.get(ALLOW, "").split(",") if each.strip()]
    try:
        return (*own, *(ipaddress.ip_network(each) for each in named))
    except ValueError as error:
        raise ConfigError(f"{error}.", where=ALLOW, hint="Name networks such as 10.0.0.0/8.") from error


def check_address(url: httpx.URL, allowed: Sequence[Network], *, where: str) -> list[str]:
    """Refuse an address that calls may not go to.

    Parameters
    ----------
    url
        Where calls go.
    allowed
        Networks that are allowed besides the public ones; to them plain HTTP is allowed as well.
    where
        Where the address stands, for the error.

    Returns
    -------
    list of str
        The addresses that the host has now, all of them allowed.

    Raises
    ------
    ConfigError
        If it is of another kind, or leads where it may not.
    ConnectorStopped
        If its host is not found.
    """
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError("The address is no web address.", where=where, hint="Begin it with https://.")
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectorStopped(f"There is no host {url.host}.", where=where, hint="Check the address.") from error
    places = [str(place[0]) for *_, place in found]
    for place in places:
        address = ipaddress.ip_address(place.partition("%")[0])
        is_allowed = any(address in network for network in allowed)
        if not is_allowed and not address.is_global:
            network = f"{address}/{address.max_prefixlen}"
            raise ConfigError(
                f"{url.host} is {address}, which is no public address.",
                where=where,
                hint=f'If it is meant, add `allow: ["{network}"]` to a webhook, or set {ALLOW}={network}.',
            )
        if not is_allowed and url.scheme != "https":
            raise ConfigError("The address is not encrypted.", where=where, hint="Begin it with https://.")
    return places


def guarded(allowed: Sequence[Network], *, where: str) -> httpx.BaseTransport | None:
    """Return what makes connections only to where calls may go.

    Parameters
    ----------
    allowed
        See ``check_address``.
    where
        Where the address stands, for errors.

    Returns
    -------
    httpx.BaseTransport or None
        None behind a proxy: it makes the connections, and what it reaches is its own matter.
    """
    return None if {"http", "https", "all"} & getproxies().keys() else _Guarded(allowed, where)


class _Guarded(httpx.BaseTransport):
    def __init__(self, allowed: Sequence[Network], where: str) -> None:
        self._allowed = allowed
        self._where = where
        self._lock = threading.Lock()
        self._hosts: dict[str, httpx.HTTPTransport] = {}  # two names may be one address, with a certificate each

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            places = check_address(request.url, self._allowed, where=self._where)
        except ConnectorStopped as error:  # it may be found again in a moment
            raise httpx.ConnectError(error.message, request=request) from error
        for place in places[:-1]:
            try:
                return self._send(request, place)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # the host has another
        return self._send(request, places[-1])

    def close(self) -> None:
        for each in self._hosts.values():
            each.close()

    def _send(self, request: httpx.Request, place: str) -> httpx.Response:
        with self._lock:
            transport = self._hosts.setdefault(request.url.host, httpx.HTTPTransport())
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=place),
            headers=request.headers,  # ``Host`` among them
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return transport.handle_request(pinned)
