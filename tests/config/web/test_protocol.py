"""What the web server makes of heads, of several requests on a connection, and of what isn't HTTP."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY

import pytest

from config.web.connection import PIPELINED
from tests.config.web.conftest import Server, read_answer, request, status

PROMPT_SECONDS = 5


@pytest.fixture
def client(server: Server) -> Iterator[socket.socket]:
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        yield client


LONG = {
    "a target of 20 kB": (414, request("GET", "/v1/whoami?" + "a" * 20_000)),
    "a target without an end": (414, b"GET /v1/whoami?" + b"a" * 200_000),
    "a header of 70 kB": (431, request("GET", "/v1/whoami", "X: " + "a" * 70_000)),
    "a header without an end": (431, request("GET", "/v1/whoami")[:-2] + b"X: " + b"a" * 200_000),
    "101 headers": (431, request("GET", "/v1/whoami", *[f"X-{number}: x" for number in range(101)])),
}


@pytest.mark.parametrize("head", LONG)
def test_a_head_that_is_too_long_is_refused_by_a_problem(server: Server, head: str) -> None:
    expected, sent = LONG[head]
    answer = server.send(sent)
    assert status(answer) == expected
    problem: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["request_id"]) == (expected, "mine" if b"mine" in sent else ANY)


@pytest.mark.parametrize(
    "head", [request("GET", "/v1/events?type=" + "a" * 5000), request("GET", "/v1/whoami", "X: " + "a" * 9000)]
)
def test_a_head_that_is_only_long_is_served(server: Server, head: bytes) -> None:
    assert status(server.send(head)) == 401


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\1\2\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n",
        b"GET /v1/whoami HTTP/1.1\r\na b\r\n\r\n",
        b"GET /v1/whoami HTTP/1.1\r\na: b\0\r\n\r\n",
        b"POST /v1/whoami HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"POST /v1/whoami HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
        b"POST /v1/whoami HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    ],
)
def test_what_is_not_http_is_refused_by_a_problem(client: socket.socket, garbage: bytes) -> None:
    """And the connection ends."""
    client.sendall(garbage)
    answer = read_answer(client)
    assert client.recv(1) == b""
    assert status(answer) == 400
    problem: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (400, "bad_request")


def test_requests_that_are_sent_at_once_are_answered_in_order(client: socket.socket) -> None:
    """The first two by threads, which take the longest. What follows garbage is not read."""
    paths = ("/readyz", "/accounts/login/", "/v1/whoami")
    client.sendall(b"".join(request("HEAD", path) for path in paths) + b"garbage\r\n\r\n" + request("GET", "/"))
    answers = b"".join(iter(lambda: client.recv(1 << 16), b""))
    statuses = [int(line[9:12]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses == [200, 200, 401, 400]
    assert answers.count(b"{") == 1  # the problem's: an answer to HEAD has no body


def test_a_body_may_come_when_the_request_before_it_is_answered(client: socket.socket) -> None:
    first, second = request("GET", "/readyz"), request("POST", "/v1/auth/token", body=b"{}")
    client.sendall(first + second[:-2])
    assert status(read_answer(client)) == 200
    client.sendall(second[-2:])
    assert status(read_answer(client)) == 400


def test_only_so_many_requests_are_taken_at_once(client: socket.socket) -> None:
    client.sendall(request("GET", "/healthz") * (PIPELINED + 1))
    answers = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == PIPELINED
    assert answers.count(b"connection: close") == 1


@pytest.mark.parametrize(
    ("head", "is_last"),
    [
        (request("GET", "/healthz"), False),
        (request("GET", "http://127.0.0.1/healthz"), False),
        (request("GET", "/healthz", "Connection: close"), True),
        (request("GET", "/healthz", "Connection: Upgrade", "Upgrade: h2c"), False),
        (request("GET", "/healthz", "Connection: close, Upgrade", "Upgrade: h2c"), True),
        (b"GET /healthz HTTP/1.0\r\n\r\n", True),
        (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_unless_it_is_said_to_be_the_last_request(
    client: socket.socket, head: bytes, is_last: bool
) -> None:
    client.sendall(head)
    answer = read_answer(client)
    assert (status(answer), b"connection: close" in answer) == (200, is_last)
    assert (b"connection: keep-alive" in answer) == (b"keep-alive" in head)
    if is_last:
        assert client.recv(1) == b""
        return
    client.sendall(head)
    assert status(read_answer(client)) == 200


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_a_client_that_expects_it_is_told_to_go_on_once(client: socket.socket, expectation: str) -> None:
    whole = request("POST", "/v1/auth/token", f"Expect: {expectation}", body=b"{}")
    client.sendall(whole[:-2])
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(whole[-2:-1])
    time.sleep(0.1)
    client.sendall(whole[-1:])
    assert status(read_answer(client)) == 400


def test_a_client_of_http_1_0_is_not_told_to_go_on(client: socket.socket) -> None:
    whole = request("POST", "/v1/auth/token", "Expect: 100-continue", body=b"{}").replace(b"HTTP/1.1", b"HTTP/1.0")
    client.sendall(whole[:-2])
    time.sleep(0.1)
    client.sendall(whole[-2:])
    assert status(read_answer(client)) == 400


def test_a_client_that_has_nothing_more_to_say_is_answered(client: socket.socket) -> None:
    client.sendall(request("GET", "/readyz"))
    client.shutdown(socket.SHUT_WR)
    assert status(read_answer(client)) == 200
    assert client.recv(1) == b""


@pytest.mark.parametrize("path", ["/v1/whoami?x=1", "/v1/gate/authorize?x=1"])
@pytest.mark.parametrize("parameter", ["charset*=bogus'en'x", "charset=hex", "charset=undefined"])
def test_a_content_type_that_cant_be_understood_is_refused(server: Server, path: str, parameter: str) -> None:
    """Django fails on these before it has a request."""
    answer = server.send(request("GET", path, f"Content-Type: text/plain; {parameter}"))
    assert status(answer) == 400
    assert b"application/problem+json" in answer
    assert b"x-request-id: mine" in answer.lower()


def test_a_header_with_an_underscore_does_not_pass_for_another(server: Server) -> None:
    answer = server.get("/v1/nothing", "X_Request_Id: theirs")
    assert b"theirs" not in answer
