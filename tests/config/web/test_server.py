"""The web server: many slow clients, long heads, a reload and a death under load."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from tests.config.web.conftest import Server, database_url, read_answer, request, running, status, until

SLOW = 300
PROMPT_SECONDS = 5
KEPT_SECONDS = 3


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
    414: lambda: request("GET", "/v1/whoami?" + "a" * 20_000),
    431: lambda: request("GET", "/v1/whoami", "X: " + "a" * 70_000),
}


@pytest.mark.parametrize("expected", LONG)
def test_a_head_that_is_too_long_is_refused_by_a_problem(server: Server, expected: int) -> None:
    answer = server.send(LONG[expected]())
    assert status(answer) == expected
    problem: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["request_id"]) == (expected, "mine")


@pytest.mark.parametrize(
    "head", [request("GET", "/v1/whoami?" + "a" * 5000), request("GET", "/v1/whoami", "X: " + "a" * 9000)]
)
def test_a_head_that_is_only_long_is_served(server: Server, head: bytes) -> None:
    assert status(server.send(head)) == 401


@pytest.mark.parametrize(
    "garbage", [b"\0\1\2\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /v1/whoami HTTP/1.1\r\na b\r\n\r\n"]
)
def test_what_is_not_http_gets_no_html(server: Server, garbage: bytes) -> None:
    answer = server.send(garbage)
    assert status(answer) == 400
    assert b"<" not in answer


def test_an_idle_connection_is_kept(server: Server) -> None:
    with server.connect() as client:
        for _ in range(2):
            client.sendall(request("GET", "/healthz"))
            assert status(read_answer(client)) == 200
            time.sleep(KEPT_SECONDS)


def test_a_header_with_an_underscore_does_not_pass_for_another(server: Server) -> None:
    answer = server.get("/v1/nothing", "X_Request_Id: theirs")
    assert b"theirs" not in answer


def test_probes_are_answered_under_any_host(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        answer = server.send(f"GET {path} HTTP/1.1\r\nHost: 10.1.2.3:8000\r\n\r\n".encode())
        assert status(answer) == 200


@pytest.fixture
def own_server(django_db_setup: None) -> Any:
    with running() as server:
        yield server


def test_a_killed_worker_is_replaced_and_a_reload_under_load_loses_no_request(own_server: Server) -> None:
    [killed, kept] = own_server.workers()
    os.kill(killed, signal.SIGKILL)
    until(lambda: kept in own_server.workers() and len(set(own_server.workers()) - {killed}) == 2)

    statuses: Counter[int] = Counter()
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            answer = own_server.get("/readyz")
            statuses[status(answer) if answer else 0] += 1

    clients = [Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    before = own_server.workers()
    own_server.process.send_signal(signal.SIGHUP)
    until(lambda: not set(before) & set(own_server.workers()) and len(own_server.workers()) == 2)
    stop.set()
    for client in clients:
        client.join()
    assert statuses.keys() == {200}


def test_a_port_out_of_range_is_a_sentence() -> None:
    command = [sys.executable, "-m", "config.web", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("99999 is not a port: give a number from 1 to 65535.")


def test_its_connections_say_whose_they_are(server: Server) -> None:
    assert status(server.get("/readyz")) == 200
    with psycopg.connect(database_url()) as connection:
        names = connection.execute("SELECT application_name FROM pg_stat_activity").fetchall()
    assert ("tollgate web",) in names
