"""Where a request came from, and whether that is within a list of networks."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

MAPPED_BITS = 96  # ::ffff:0:0/96 holds the IPv4 addresses

# A proxy may add the port: `203.0.113.9:51234`, `[2001:db8::1]:443`. IPv6 has brackets where a port follows.
_WITH_PORT = re.compile(r"(?P<ipv4>[\d.]+):\d+|\[(?P<ipv6>[^\]]+)\](:\d+)?", re.ASCII)


def client_address(request: Request | HttpRequest) -> str:
    """The address of the peer, or the one that the outermost trusted proxy saw, in its canonical form.

    Empty if it is unknown: on a unix socket without a proxy, or where the proxy wrote something that is no address.
    """
    forwarded = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if settings.TRUSTED_PROXIES and len(forwarded) >= settings.TRUSTED_PROXIES:
        hop = forwarded[-settings.TRUSTED_PROXIES]
        match = _WITH_PORT.fullmatch(hop)
        return canonical(match["ipv4"] or match["ipv6"] if match else hop) or ""
    return canonical(str(request.META.get("REMOTE_ADDR", ""))) or ""


def caller_network(request: Request | HttpRequest) -> str:
    """What rate limits count by: an IPv4 address, or the /64 of an IPv6 address, since one caller has all of it."""
    address = client_address(request)
    if ":" in address:
        return str(ip_network(f"{address}/64", strict=False))
    return address or "unknown"


@lru_cache(maxsize=4096)
def canonical(text: str) -> str | None:
    """An address in the one form that is compared and stored; None if it is no address.

    An IPv4 address that is written as IPv6, as a socket for both does, becomes IPv4. A zone (`%eth0`) is dropped.
    """
    try:
        return str(_unmapped(ip_address(text)))
    except ValueError:
        return None


def is_network(text: str) -> bool:
    try:
        network(text)
    except ValueError:
        return False
    return True


def network(text: str) -> str:
    """A network in the form that is stored: `10.0.0.0/24`, `2001:db8::/32`. An address is a network of one.

    Bits beyond the prefix are dropped, and IPv4 that is written as IPv6 becomes IPv4. `ValueError` for anything else.
    """
    text = text.strip()
    if "%" in text:
        raise ValueError("a network has no zone")
    parsed = ip_network(text, strict=False)
    if isinstance(parsed, IPv6Network) and parsed.network_address.ipv4_mapped and parsed.prefixlen >= MAPPED_BITS:
        return str(IPv4Network((parsed.network_address.ipv4_mapped, parsed.prefixlen - MAPPED_BITS)))
    return str(parsed)


def within(address: str, networks: Iterable[str]) -> bool:
    """Whether `address` is in one of the networks. False if it isn't a valid address."""
    try:
        parsed = _unmapped(ip_address(address))
    except ValueError:
        return False
    return any(parsed in ip_network(network) for network in networks)


def inside(network: str, networks: Iterable[str]) -> bool:
    """Whether the whole of `network` is in one of the others."""
    inner = ip_network(network)
    outer = [ip_network(other) for other in networks]
    return any(inner.network_address in other and inner.broadcast_address in other for other in outer)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
