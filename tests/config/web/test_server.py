"""The web server: many slow clients, idle ones, a reload and a death under load."""

import asyncio
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

import psycopg
import pytest
from django.conf import settings

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
