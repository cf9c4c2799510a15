"""A body that came is never taken for no body. One that can't be read, or is too large, is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Hold
from tests import factories
from tests.config.web.conftest import Server, chunked, request, status
from tests.isolation.routes import discovered

MEBIBYTE = 1 << 20
WITH_BODY = sorted(
    (method, "/" + route.rstrip("*"))
    for route, methods in discovered().items()
    for method in methods & {"post", "put", "patch"}
)


@pytest.fixture
def bearer(customer: Organization) -> str:
    scopes = ["credits:read", "credits:write", "keys:read", "keys:write"]
    owner = customer.memberships.get().user
    return f"Authorization: Bearer {factories.key(customer, created_by=owner, permissions=scopes)[1]}"


@pytest.fixture
def platform(committed: None) -> str:
    return f"Authorization: Bearer {factories.platform_key()}"


def document(answer: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body


def place_hold(server: Server, bearer: str) -> str:
    answer = server.send(request("POST", "/v1/credits/holds", bearer, body=b'{"amount": 10}'))
    assert status(answer) == 201, answer
    return str(document(answer)["id"])


def test_a_capture_in_chunks_debits_what_it_says(server: Server, customer: Organization, bearer: str) -> None:
    hold = place_hold(server, bearer)
    answer = server.send(chunked("POST", f"/v1/credits/holds/{hold}/capture", bearer, body=b'{"amount": 1}'))
    assert (status(answer), document(answer)["captured"]) == (200, 1)
    assert Hold.objects.of(customer).get().captured == Decimal(1)


@pytest.mark.parametrize("form", [request, chunked])
@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_a_body_is_read_if_another_protocol_is_offered(
    server: Server, customer: Organization, bearer: str, protocol: str, form: Any
) -> None:
    """As Java's client does before it knows what the server speaks. What was sent after it is answered too."""
    path = f"/v1/credits/holds/{place_hold(server, bearer)}/capture"
    offer = ("Connection: Upgrade", f"Upgrade: {protocol}")
    with server.connect() as client:
        client.sendall(form("POST", path, bearer, *offer, body=b'{"amount": 1}') + request("GET", "/healthz", *offer))
        answers = b""
        while not answers.endswith(b'{"status": "ok"}'):
            part = client.recv(1 << 16)
            assert part, answers
            answers += part
    assert Hold.objects.of(customer).get().captured == Decimal(1)


@pytest.mark.parametrize("end", [b'5\r\n{"amo', b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b""])
def test_a_capture_that_is_cut_off_debits_nothing(
    server: Server, customer: Organization, bearer: str, end: bytes
) -> None:
    hold = place_hold(server, bearer)
    whole = chunked("POST", f"/v1/credits/holds/{hold}/capture", bearer, body=b"{}")
    head = whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with server.connect() as client:
        client.sendall(head + end)
        client.shutdown(1)
        assert client.recv(100)[:12] in (b"HTTP/1.1 400", b"")
    server.get("/healthz")
    assert Hold.objects.of(customer).get().status == Hold.Status.OPEN


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Transfer-Encoding: CHUNKED", 200),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 13", 400),
    ],
)
def test_a_body_in_a_coding_that_is_not_undone_is_refused(
    server: Server, customer: Organization, bearer: str, header: str, expected: int
) -> None:
    hold = place_hold(server, bearer)
    whole = chunked("POST", f"/v1/credits/holds/{hold}/capture", bearer, body=b'{"amount": 1}')
    answer = server.send(whole.replace(b"Transfer-Encoding: chunked", header.encode()))
    assert status(answer) == expected
    assert (Hold.objects.of(customer).get().status == Hold.Status.CAPTURED) == (expected == 200)
    assert b"application/json" in answer or b"application/problem+json" in answer


def test_a_change_of_a_key_in_chunks_is_made(server: Server, customer: Organization, bearer: str) -> None:
    key, _ = factories.key(customer)
    answer = server.send(chunked("PATCH", f"/v1/account/api-keys/{key.public_id}", bearer, body=b'{"enabled": false}'))
    assert status(answer) == 200, answer
    assert ApiKey.objects.get(pk=key.pk).disabled_at is not None


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_on_every_route_chunks_are_read_as_a_body_with_a_length_is(
    server: Server, bearer: str, platform: str, method: str, path: str
) -> None:
    """A body that isn't JSON shows it: whoever reads it refuses it."""
    for credential in (bearer, platform):
        plain = server.send(request(method.upper(), path, credential, body=b"{"))
        assert plain[:12] == server.send(chunked(method.upper(), path, credential, body=b"{"))[:12]


def test_a_batch_of_events_in_chunks_is_recorded_by_the_fast_path(
    server: Server, customer: Organization, platform: str
) -> None:
    event = {"id": "e-1", "organization": customer.public_id, "meter": "sms"}
    answer = server.send(chunked("POST", "/v1/usage/events", platform, body=json.dumps(event).encode(), size=20))
    assert (status(answer), document(answer)["accepted"]) == (200, 1)


TOO_LARGE = [
    ("/v1/auth/token", MEBIBYTE + 1),
    ("/v1/usage/events", 4 * MEBIBYTE + 1),
    ("/accounts/login/", MEBIBYTE + 1),
    ("/admin/login/", MEBIBYTE + 1),
]


@pytest.mark.parametrize("form", [request, chunked])
@pytest.mark.parametrize(("path", "size"), TOO_LARGE)
def test_a_body_that_is_too_large_is_413(server: Server, platform: str, path: str, size: int, form: Any) -> None:
    options = {"size": 65536} if form is chunked else {}
    answer = server.send(form("POST", path, platform, body=b" " * size, **options))
    assert status(answer) == 413
    assert (b"application/problem+json" in answer) == path.startswith("/v1/")


@pytest.mark.parametrize("end", [b"0\r\nX: ", b"0\r\n", b"2;x="])
def test_what_follows_a_body_without_an_end_is_refused(server: Server, end: bytes) -> None:
    """A trailer that is long, many trailers, or what may follow the size of a chunk."""
    whole = chunked("POST", "/v1/auth/token", body=b"{}")
    filler = b"a: b\r\n" * 33_000 if end == b"0\r\n" else b"a" * 200_000
    answer = server.send(whole.removesuffix(b"0\r\n\r\n") + end + filler)
    assert status(answer) == 400
    assert b"can't be read" in answer


def test_a_client_that_is_still_sending_reads_the_refusal(server: Server) -> None:
    """Often it wouldn't if the connection were closed at once."""
    for _ in range(5):
        assert status(server.send(request("POST", "/v1/auth/token?" + "a" * 20_000, body=b" " * 4_000_000))) == 414
        assert status(server.send(request("POST", "/v1/auth/token", body=b" " * 8_000_000))) == 413


def test_300_megabytes_are_refused_before_they_are_sent(server: Server) -> None:
    """The head alone is sent, with Expect: the answer to it is the refusal, not 100."""
    head = request("POST", "/accounts/login/", "Content-Type: multipart/form-data; boundary=x", "Expect: 100-continue")
    answer = server.send(head[:-2] + b"Content-Length: 300000000\r\n\r\n", seconds=5)
    assert status(answer) == 413


def test_a_file_is_refused_where_none_is_expected(client: Any) -> None:
    answer = client.post("/accounts/login/", {"login": "x@example.com", "file": ContentFile(b"x" * 1000, "a.txt")})
    assert answer.status_code == 400


def test_a_server_that_does_not_read_chunks_answers_411(client: Any) -> None:
    """Django's development server is such a one. It hands the header on, and no body."""
    answer = client.post("/v1/auth/token", headers={"transfer-encoding": "chunked"})
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")
