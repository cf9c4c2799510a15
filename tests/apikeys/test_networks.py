"""Keys that work from some networks alone, called directly and asked about at the gate."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from accounts.models import SecurityPolicy
from apikeys.models import ApiKey
from tests import factories

KEYS = "/v1/account/api-keys"


@pytest.fixture
def key(alice: Any, organization: Any) -> Any:
    """Works from one IPv4 and one IPv6 network."""
    cidrs = ["203.0.113.0/24", "2001:db8::/32"]
    return factories.key(organization, created_by=alice, permissions=["account:read"], allowed_cidrs=cidrs)


def call_from(client: Any, address: str) -> Any:
    return client.client.get("/v1/organizations", headers=client.headers, REMOTE_ADDR=address)


def verify(gateway: Any, secret: str, **fields: Any) -> str:
    return str(gateway.post("/v1/keys/verify", {"key": secret, **fields}).json()["code"])


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9"])
def test_a_call_from_the_keys_networks_is_answered(api: Any, key: Any, address: str) -> None:
    assert call_from(api(key[1]), address).status_code == 200


@pytest.mark.parametrize("address", ["203.0.114.1", "2001:db9::1", "", "no address"])
def test_a_call_from_elsewhere_is_refused_and_is_no_use(api: Any, key: Any, address: str) -> None:
    answer = call_from(api(key[1]), address)
    assert (answer.status_code, answer.json()["code"]) == (403, "ip_not_allowed")
    assert ApiKey.objects.get().last_used_at is None


def test_a_bad_secret_is_a_401_from_anywhere(api: Any, key: Any) -> None:
    assert call_from(api(key[1][:-1]), "198.51.100.1").status_code == 401


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("2001:DB8:0:0::1", "2001:db8::1/128"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
    ],
)
def test_networks_are_kept_in_one_form(alice: Any, api: Any, text: str, kept: str) -> None:
    made = api(alice).post(KEYS, {"name": "Key", "allowed_cidrs": [text, text]})
    assert api(alice).get(f"{KEYS}/{made.json()['key_id']}").json()["allowed_cidrs"] == [kept]


@pytest.mark.parametrize("bad", ["10.0.0.0/33", "10.0.0", "example.com", "fe80::1%eth0", "", "2001:db8::/129"])
def test_a_bad_network_is_named_and_nothing_is_made(alice: Any, api: Any, bad: str) -> None:
    answer = api(alice).post(KEYS, {"name": "Key", "allowed_cidrs": ["10.0.0.0/8", bad]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/allowed_cidrs/1")
    assert bad in answer.json()["errors"][0]["detail"]
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("bad", [167772160, True, None, ["10.0.0.0/8"]])
def test_a_network_is_text(alice: Any, api: Any, bad: Any) -> None:
    assert api(alice).post(KEYS, {"name": "Key", "allowed_cidrs": [bad]}).status_code == 400
    assert not ApiKey.objects.exists()


def test_without_networks_a_key_works_from_anywhere_again(alice: Any, api: Any, key: Any) -> None:
    api(alice).patch(f"{KEYS}/{key[0].public_id}", {"allowed_cidrs": []})
    assert call_from(api(key[1]), "198.51.100.1").status_code == 200


def test_the_gate_checks_the_callers_address(gateway: Any, key: Any) -> None:
    assert verify(gateway, key[1], ip="203.0.113.9") == "VALID"
    assert verify(gateway, key[1], ip="198.51.100.1") == "IP_NOT_ALLOWED"


def test_the_gate_refuses_a_key_with_networks_when_it_is_told_no_address(gateway: Any, key: Any) -> None:
    assert verify(gateway, key[1]) == verify(gateway, key[1], ip=None) == "IP_NOT_ALLOWED"


def test_networks_of_ipv4_written_as_ipv6_match(alice: Any, api: Any, gateway: Any) -> None:
    body = {"name": "Key", "allowed_cidrs": ["::ffff:203.0.113.0/120"], "permissions": ["account:read"]}
    secret = api(alice).post(KEYS, body).json()["api_key"]
    assert call_from(api(secret), "203.0.113.9").status_code == 200
    assert call_from(api(secret), "203.0.114.9").status_code == 403
    assert verify(gateway, secret, ip="203.0.113.9") == verify(gateway, secret, ip="::ffff:203.0.113.9") == "VALID"
    assert verify(gateway, secret, ip="203.0.114.9") == "IP_NOT_ALLOWED"


def test_the_migration_mends_the_networks_that_never_matched(organization: Any) -> None:
    key, _ = factories.key(organization, allowed_cidrs=["::ffff:cb00:7100/120", "203.0.113.0/24", "2001:db8::/32"])
    networks = ["::ffff:cb00:7100/120"]
    SecurityPolicy.objects.create(organization=organization, allowed_networks=networks)
    for app in ("apikeys", "accounts"):
        name = {"apikeys": "0002_ipv4_networks", "accounts": "0006_ipv4_networks"}[app]
        import_module(f"{app}.migrations.{name}").normalize(apps, None)
    key.refresh_from_db()
    assert key.allowed_cidrs == ["203.0.113.0/24", "2001:db8::/32"]
    assert SecurityPolicy.objects.get().allowed_networks == ["203.0.113.0/24"]


def test_the_gate_needs_no_address_for_a_key_without_networks(gateway: Any, organization: Any, alice: Any) -> None:
    assert verify(gateway, factories.key(organization, created_by=alice)[1]) == "VALID"


def test_the_gate_says_disabled_before_it_looks_at_the_address(alice: Any, api: Any, gateway: Any, key: Any) -> None:
    api(alice).patch(f"{KEYS}/{key[0].public_id}", {"enabled": False})
    assert verify(gateway, key[1], ip="198.51.100.1") == "DISABLED"


def test_the_gate_looks_at_the_address_before_the_permissions(gateway: Any, key: Any) -> None:
    assert verify(gateway, key[1], ip="198.51.100.1", permission="voice:call") == "IP_NOT_ALLOWED"
    assert verify(gateway, key[1], ip="203.0.113.9", permission="voice:call") == "INSUFFICIENT_PERMISSIONS"


def test_the_gate_refuses_an_address_that_is_none(gateway: Any, key: Any) -> None:
    answer = gateway.post("/v1/keys/verify", {"key": key[1], "ip": "elsewhere"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/ip")
