"""Where calls may go: not into the network that this machine stands in, unless someone says so."""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from cdp_toolkit.errors import ConfigError, ConnectorStopped

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_address(url: str, allowed: Sequence[Network], *, where: str) -> None:
    """Refuse an address that calls may not go to.

    Parameters
    ----------
    url
        Where calls go.
    allowed
        Networks that are allowed besides the public ones; to them plain HTTP is allowed as well.
    where
        Where the address stands, for the error.

    Raises
    ------
    ConfigError
        If it is of another kind, or leads where it may not.
    ConnectorStopped
        If its host is not found.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("The address is no web address.", where=where, hint="Begin it with https://.")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectorStopped(f"There is no host {parts.hostname}.", where=where, hint="Check the address.") from error
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        is_allowed = any(address in network for network in allowed)
        if not is_allowed and not address.is_global:
            raise ConfigError(
                f"{parts.hostname} is {address}, which is no public address.",
                where=where,
                hint=f'If it is meant, add `allow: ["{address}/{address.max_prefixlen}"]`.',
            )
        if not is_allowed and parts.scheme != "https":
            raise ConfigError("The address is not encrypted.", where=where, hint="Begin it with https://.")
