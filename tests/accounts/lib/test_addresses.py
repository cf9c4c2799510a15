"""Addresses and networks in one form, whoever wrote them."""

import pytest
from django.test import RequestFactory

from accounts.lib import addresses


def seen(settings: pytest.FixtureRequest, forwarded: str, peer: str = "10.0.0.1", proxies: int = 1) -> str:
    settings.TRUSTED_PROXIES = proxies  # type: ignore[attr-defined]
    return addresses.client_address(RequestFactory().get("/", headers={"x-forwarded-for": forwarded}, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", ""),
        ("_hidden", ""),
        ("203.0.113.9:", ""),
        ("203.0.113:80", ""),
        ("[2001:db8::1]443", ""),
        ("203.0.113.9 10.0.0.1", ""),
        ("<script>", ""),
    ],
)
def test_what_a_proxy_wrote_is_an_address_or_nothing(settings: pytest.FixtureRequest, hop: str, address: str) -> None:
    assert seen(settings, hop) == address
    assert seen(settings, f"6.6.6.6, {hop}") == address
    assert seen(settings, f"{hop}:9, {hop}", proxies=1) == address


@pytest.mark.parametrize(("peer", "address"), [("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("", "")])
def test_the_peer_counts_where_no_proxy_is_trusted(settings: pytest.FixtureRequest, peer: str, address: str) -> None:
    assert seen(settings, "203.0.113.9", peer, proxies=0) == address
    assert seen(settings, "203.0.113.9", peer, proxies=2) == address


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::FFFF:CB00:7107/128", "203.0.113.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("2001:DB8::1/32", "2001:db8::/32"),
    ],
)
def test_a_network_has_one_form(text: str, network: str) -> None:
    assert addresses.network(text) == network


@pytest.mark.parametrize("text", ["", "fe80::1%eth0", "fe80::%eth0/64", "10.0.0.0/33", "example.com", "203.0.113.9:80"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        addresses.network(text)
