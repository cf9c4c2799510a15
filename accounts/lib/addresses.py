"""Where a request came from, and whether that is within a list of networks."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_address(request: Request | HttpRequest) -> str:
    """The peer's address, or the one that the outermost trusted proxy saw. Empty on a unix socket without a proxy."""
    forwarded = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if settings.TRUSTED_PROXIES and len(forwarded) >= settings.TRUSTED_PROXIES:
        return str(forwarded[-settings.TRUSTED_PROXIES])
    return str(request.META.get("REMOTE_ADDR", ""))


def caller_network(request: Request | HttpRequest) -> str:
    """What a caller is counted by: the IPv4 address, or the /64 of an IPv6 address, since one caller has all of it."""
    try:
        address = ip_address(client_address(request))
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network(f"{address}/64", strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str | None:
    """An address as PostgreSQL reads it, None if it isn't one. An IPv4 address in IPv6's form is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)


def network(text: str) -> str:
    """A network as it is stored, `10.0.0.0/24` or `2001:db8::/32`: an address stands for itself, and what is beyond the
    prefix is dropped. `ValueError` when it is neither IPv4 nor IPv6."""
    return str(ip_network(text.strip(), strict=False))


def within(address: str, networks: Iterable[str]) -> bool:
    """Whether `address` is in one of the networks. One that can't be read is in none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:  # an IPv4 peer of a socket that speaks both
        found = found.ipv4_mapped
    return any(found in ip_network(one) for one in networks)


def inside(network: str, networks: Iterable[str]) -> bool:
    """Whether the whole of `network` is in one of the others."""
    found = ip_network(network)
    others = [ip_network(one) for one in networks]
    return any(found.network_address in one and found.broadcast_address in one for one in others)
