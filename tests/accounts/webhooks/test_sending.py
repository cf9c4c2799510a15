"""One POST to whatever a customer names: hostile receivers, special addresses, rebinding, certificates."""

import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accounts.webhooks import addresses, sending, urls
from tests.accounts.webhooks import receivers

SECONDS = 1.5

SPECIAL = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "::ffff:224.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2620:4f:8000::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
ORDINARY = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:1.1.1.1"]


@pytest.fixture(autouse=True)
def _elsewhere(settings: Any) -> None:
    """The installation itself is not on this machine."""
    settings.BASE_URL = "https://tollgate.example.com"


@pytest.fixture
def local(settings: Any) -> None:
    """The operator lets webhooks lead to this machine."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


def post(url: str, seconds: float = SECONDS) -> sending.Response:
    return sending.post(url, b"{}", {"content-type": "application/json"}, seconds=seconds)


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Puts a resolver in place that answers these addresses, one list a lookup; the names that it was asked for."""
    names: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in left.pop(0)]

    monkeypatch.setattr(sending, "getaddrinfo", getaddrinfo)
    return names


def test_there_are_as_many_special_addresses_as_were_studied() -> None:
    assert len(set(SPECIAL)) >= 55


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_address_is_refused_before_any_connection(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        raise AssertionError("it connects")

    monkeypatch.setattr("httpcore2.SyncBackend.connect_tcp", connect)
    literal = f"[{text}]" if ":" in text else text
    assert post(f"https://{literal}/").error == "address_refused"
    answering(monkeypatch, ["1.1.1.1", text])  # one bad answer among good ones
    assert post("https://example.com/").error == "address_refused"


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_address_is_allowed(text: str) -> None:
    assert addresses.is_public(addresses.parse(text))


@pytest.mark.parametrize(
    "url",
    [
        "https://user@example.com/",
        "https://good.com\\@127.0.0.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://exämple.com/",
        "https://exam\tple.com/",
        "https://example.com/#part",
        "https://example.com:22/",
        "https://example.com:99999/",
        "https://example.com:/x:y@z",
        "http://example.com/",
        "ftp://example.com/",
        "https:///path",
        "https://",
        "example.com",
        "https://127.0.0.1:443.example.com/",
        "https://example..com/",
        "https://[example.com]/",
        "https://[v1.com]/",
        "https://[::1",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_an_odd_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        urls.target(url)
    assert post(url).error == "url_refused"


def test_our_own_host_is_refused(settings: Any) -> None:
    settings.BASE_URL = "https://tollgate.example.com"
    with pytest.raises(ValueError, match="this installation"):
        urls.target("https://TOLLGATE.example.com/v1/organizations")


def test_our_own_port_is_refused_even_within_the_operators_networks(settings: Any) -> None:
    settings.BASE_URL, settings.WEBHOOK_ALLOWED_NETWORKS = "http://127.0.0.1:8000", ["127.0.0.0/8"]
    with pytest.raises(ValueError, match="this installation"):
        urls.target("http://127.0.0.1:8000/v1/organizations")
    assert urls.target("http://127.0.0.1:8001/hook")


def test_a_url_is_kept_in_its_normal_form() -> None:
    assert urls.target("https://Example.COM:443?a=1").url == "https://example.com/?a=1"
    assert urls.target("https://example.com:8443/a%20b?x=/y").url == "https://example.com:8443/a%20b?x=/y"


def test_a_good_receiver_gets_the_bytes_and_its_answer_is_kept(local: None) -> None:
    with receivers.receiver(receivers.good) as (url, _):
        answer = post(url)
    assert (answer.status, answer.error, answer.body, answer.address) == (200, "", "god", "127.0.0.1")
    assert answer.is_success


def test_without_the_operators_exception_this_machine_is_out_of_reach(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    with receivers.receiver(receivers.good) as (url, connections):
        assert post(url).error == "address_refused"
        assert not connections


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (receivers.silent, None, "timeout"),
        (receivers.dripping_header, None, "timeout"),
        (receivers.endless_continue, None, "timeout"),
        (receivers.endless_headers, None, "not_http"),
        (receivers.no_http, None, "not_http"),
        (receivers.dripping_body, 200, ""),
        (receivers.endless_body, 200, ""),
        (receivers.gzip_bomb, 200, ""),
        (receivers.redirecting, 302, ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_hostile_receiver_costs_neither_time_nor_memory(
    local: None, behaviour: receivers.Behaviour, status: int | None, error: str
) -> None:
    receivers.bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with receivers.receiver(behaviour) as (url, connections):
        began = time.monotonic()
        answer = post(url)
        took = time.monotonic() - began
    assert (answer.status, answer.error) == (status, error)
    assert took < SECONDS + 1
    assert len(answer.body) <= sending.ANSWER_BYTES
    assert len(connections) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_a_name_is_resolved_once_with_its_dot(local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer of a rebinding name server is never asked for."""
    names = answering(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    with receivers.receiver(receivers.good) as (url, _):
        assert post(url.replace("127.0.0.1", "rebinding.example.com")).status == 200
    assert names == ["rebinding.example.com."]


def test_the_next_address_is_tried_if_the_first_is_closed(local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    with receivers.receiver(receivers.good) as (url, _):
        answer = post(url.replace("127.0.0.1", "two.example.com"))
    assert (answer.status, answer.address) == (200, "127.0.0.1")


def test_plain_http_reaches_only_the_operators_networks(local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ["1.1.1.1"])
    assert post("http://example.com/").error == "address_refused"


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "getaddrinfo", lambda *_: time.sleep(3))
    began = time.monotonic()
    assert post("https://example.com/", 0.5).error == "name_not_resolved"
    assert time.monotonic() - began < 1.5


def test_environment_proxies_are_not_used(local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receivers.receiver(receivers.good) as (url, _):
        assert post(url).status == 200


def certificate(name: str, folder: Path, *, days: int) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.{days}.pem"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private = folder / f"{name}.{days}.key"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private


@pytest.mark.parametrize(
    ("name", "days", "trusted", "status", "error"),
    [
        ("good.example.com", 10, True, 200, ""),
        ("good.example.com", 10, False, None, "certificate_refused"),
        ("other.example.com", 10, True, None, "certificate_refused"),
        ("good.example.com", -1, True, None, "certificate_refused"),
    ],
    ids=["good", "unknown authority", "wrong name", "expired"],
)
def test_the_certificate_is_checked_and_the_name_sent(
    local: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    days: int,
    trusted: bool,
    status: int | None,
    error: str,
) -> None:
    pem, key = certificate(name, tmp_path, days=days)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key)
    names: list[str | None] = []
    server.sni_callback = lambda _, host, __: names.append(host)

    with tls_receiver(server) as port:
        monkeypatch.setattr(sending, "_tls", lambda: ssl.create_default_context(cafile=pem if trusted else None))
        answering(monkeypatch, ["127.0.0.1"])
        answer = post(f"https://good.example.com:{port}/", seconds=15)
    assert (answer.status, answer.error) == (status, error)
    assert names == ["good.example.com"]


@contextmanager
def tls_receiver(context: ssl.SSLContext) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                receivers.read(secured)
                receivers.good(secured)
        except OSError:
            pass

    thread = Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    thread.join(5)
    listening.close()
