"""The web server: many slow clients, long heads, a reload and a death under load."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import ANY

import psycopg
import pytest
from django.conf import settings

from config.web.connection import PIPELINED
from config.web.worker import LAST_SECONDS, Worker
from tests.config.web.conftest import (
    PATIENCE_SECONDS,
    Server,
    database_url,
    read_answer,
    request,
    running,
    status,
    until,
)

SLOW = 300
PROMPT_SECONDS = 5
LIMIT_SECONDS = int(os.environ.get("LIMIT_SECONDS", "2"))  # LIMIT_SECONDS=75 tries the default of idle connections
STALLED = 100
LISTENING, TIME_WAIT = "0A", "06"  # in /proc/net/tcp
LARGE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
LARGE_BYTES = 1_000_000


def test_it_answers_beside_hundreds_of_slow_and_idle_connections(server: Server) -> None:
    """Of the 900, 300 send nothing, 300 half a head and 300 half a body."""
    half = request("POST", "/v1/auth/token", body=b'{"email": "x@example.com"}')
    beginnings = [b"", half[:30], half[:-5]]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with ExitStack() as stack:
        for beginning in beginnings * SLOW:
            client = stack.enter_context(server.connect())
            client.sendall(beginning)
        began = time.monotonic()
        assert status(server.get("/readyz")) == 200
        assert status(server.get("/accounts/login/")) == 200
        assert time.monotonic() - began < PROMPT_SECONDS
        client.sendall(half[-5:])
        assert status(read_answer(client)) == 400


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
def test_what_is_not_http_is_refused_by_a_problem(server: Server, garbage: bytes) -> None:
    """And the connection ends."""
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        client.sendall(garbage)
        answer = read_answer(client)
        assert client.recv(1) == b""
    assert status(answer) == 400
    problem: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (400, "bad_request")


def test_requests_that_are_sent_at_once_are_answered_in_order(server: Server) -> None:
    """The first two by threads, which take the longest. What follows garbage is not read."""
    paths = ("/readyz", "/accounts/login/", "/v1/whoami")
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        client.sendall(b"".join(request("HEAD", path) for path in paths) + b"garbage\r\n\r\n" + request("GET", "/"))
        answers = b"".join(iter(lambda: client.recv(1 << 16), b""))
    statuses = [int(line[9:12]) for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses == [200, 200, 401, 400]
    assert answers.count(b"{") == 1  # the problem's: an answer to HEAD has no body


def test_a_body_may_come_when_the_request_before_it_is_answered(server: Server) -> None:
    first, second = request("GET", "/readyz"), request("POST", "/v1/auth/token", body=b"{}")
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        client.sendall(first + second[:-2])
        assert status(read_answer(client)) == 200
        client.sendall(second[-2:])
        assert status(read_answer(client)) == 400


def test_only_so_many_requests_are_taken_at_once(server: Server) -> None:
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
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
    server: Server, head: bytes, is_last: bool
) -> None:
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
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
def test_a_client_that_expects_it_is_told_to_go_on_once(server: Server, expectation: str) -> None:
    whole = request("POST", "/v1/auth/token", f"Expect: {expectation}", body=b"{}")
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        client.sendall(whole[:-2])
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(whole[-2:-1])
        time.sleep(0.1)
        client.sendall(whole[-1:])
        assert status(read_answer(client)) == 400


def test_a_client_of_http_1_0_is_not_told_to_go_on(server: Server) -> None:
    whole = request("POST", "/v1/auth/token", "Expect: 100-continue", body=b"{}").replace(b"HTTP/1.1", b"HTTP/1.0")
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
        client.sendall(whole[:-2])
        time.sleep(0.1)
        client.sendall(whole[-2:])
        assert status(read_answer(client)) == 400


def test_a_client_that_has_nothing_more_to_say_is_answered(server: Server) -> None:
    with server.connect() as client:
        client.settimeout(PROMPT_SECONDS)
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


@pytest.fixture(scope="module")
def limited(second_database: str) -> Iterator[Server]:
    """It has short limits. Its socket is handed over as systemd does it."""
    limit = str(LIMIT_SECONDS)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        running(second_database, listener=listener, KEEP_ALIVE_SECONDS=limit, SEND_TIMEOUT_SECONDS=limit) as server,
    ):
        yield server


def test_idle_connections_are_kept_until_their_time_is_up(limited: Server) -> None:
    """One that sent nothing, one that sent half a request, and one that was used."""
    with ExitStack() as stack:
        clients = [stack.enter_context(limited.connect()) for _ in range(3)]
        for client, beginning in zip(clients, (b"", b"GET /heal", request("GET", "/healthz")), strict=True):
            client.sendall(beginning)
            client.settimeout(LIMIT_SECONDS + PROMPT_SECONDS)
        assert status(read_answer(clients[2])) == 200
        began = time.monotonic()
        for client in clients:
            assert client.recv(1) == b""
            assert time.monotonic() - began > LIMIT_SECONDS - 0.5


def test_idle_connections_are_kept_longer_than_proxies_keep_them() -> None:
    assert settings.KEEP_ALIVE_SECONDS == 75


def test_clients_that_do_not_read_hold_up_nobody_and_are_cut_off(limited: Server) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(without_room(limited)) for _ in range(STALLED)]
        for client in clients:
            client.sendall(request("GET", LARGE))
        began = time.monotonic()
        assert status(limited.get("/readyz")) == 200
        assert time.monotonic() - began < PROMPT_SECONDS
        until(lambda: not held(limited), LIMIT_SECONDS + PATIENCE_SECONDS)
        assert len(rest(clients[-1])) < LARGE_BYTES


def test_a_client_that_reads_slowly_gets_all_of_it(limited: Server) -> None:
    with without_room(limited) as client:
        client.sendall(request("GET", LARGE))
        time.sleep(LIMIT_SECONDS / 2)
        assert len(rest(client)) > LARGE_BYTES


def without_room(server: Server) -> socket.socket:
    """A connection that takes in only some kB that nobody has read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.settimeout(PATIENCE_SECONDS)
    return client


def rest(client: socket.socket) -> bytes:
    try:
        return read_answer(client)
    except ConnectionResetError:
        return b""


def held(server: Server) -> int:
    """How many connections the server has, by the kernel's list: also those that it closed with data still to send."""
    here = f":{server.port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(here) and state not in (LISTENING, TIME_WAIT) for _, local, _, state, *_ in rows)


def test_a_header_with_an_underscore_does_not_pass_for_another(server: Server) -> None:
    answer = server.get("/v1/nothing", "X_Request_Id: theirs")
    assert b"theirs" not in answer


def test_probes_are_answered_under_any_host(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        answer = server.send(f"GET {path} HTTP/1.1\r\nHost: 10.1.2.3:8000\r\n\r\n".encode())
        assert status(answer) == 200


@contextmanager
def load(server: Server) -> Iterator[Counter[str]]:
    """Requests on new connections, without a pause. Counts the first lines of the answers, and the errors."""
    answers: Counter[str] = Counter()
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answer = server.send(request("GET", "/readyz"))
                answers[answer.partition(b"\r\n")[0].decode()] += 1
            except OSError as error:
                answers[repr(error)] += 1

    clients = [Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        stop.set()
        for client in clients:
            client.join()


def test_a_killed_worker_is_replaced_and_a_reload_or_a_successor_under_load_loses_no_request(
    second_database: str,
) -> None:
    """The socket is handed over as systemd does it, and the successor gets the same. Its workers end with it."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = stack.enter_context(running(second_database, listener=listener))
        [killed, kept] = server.workers()
        os.kill(killed, signal.SIGKILL)
        until(lambda: kept in server.workers() and len(set(server.workers()) - {killed}) == 2)
        before = server.workers()
        with load(server) as answers:
            server.process.send_signal(signal.SIGHUP)
            until(lambda: not set(before) & set(server.workers()) and len(server.workers()) == 2)
            successor = stack.enter_context(running(second_database, listener=listener))
            server.stop()
            served = answers.total()
            until(lambda: answers.total() > served + 20)
        orphans = successor.workers()
        successor.process.kill()
        until(lambda: not any(map(is_running, orphans)))
    assert answers.keys() == {"HTTP/1.1 200 OK"}


def is_running(pid: int) -> bool:
    """Not if it has ended and nobody has taken notice."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_a_worker_ends_with_the_last_answer_even_if_its_connection_would_have_been_kept() -> None:
    """The answer began before the worker was told to stop, so its client wasn't told that it is the last."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        worker.stop()
        await asyncio.sleep(2 * LAST_SECONDS)
        await send({"type": "http.response.body", "body": b"2"})

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        listener.setblocking(False)
        client.sendall(request("GET", "/"))
        worker = Worker(listener, answer, idle_seconds=60, stop_seconds=PROMPT_SECONDS)
        began = time.monotonic()
        worker.run()
        assert time.monotonic() - began < PROMPT_SECONDS
        worker.loop.close()
        assert read_answer(client).endswith(b"\r\n\r\n12")


def test_a_port_out_of_range_is_a_sentence() -> None:
    command = [sys.executable, "-m", "config.web", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("99999 is not a port: give a number from 1 to 65535.")


def test_its_connections_say_whose_they_are(server: Server, second_database: str) -> None:
    assert status(server.get("/readyz")) == 200
    with psycopg.connect(database_url(second_database)) as connection:
        names = connection.execute("SELECT application_name FROM pg_stat_activity").fetchall()
    assert ("tollgate web",) in names
