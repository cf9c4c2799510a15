"""deploy/nginx.conf, with an nginx of this machine."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.config.web.conftest import Server, chunked, free_port, request, running, status, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
SLOW = 300
PROMPT_SECONDS = 5
MAIN = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")


@pytest.fixture(scope="module")
def server(second_database: str) -> Iterator[Server]:
    with running(second_database, TRUSTED_PROXIES="1") as server:
        yield server


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx") / "access.log"


@pytest.fixture(scope="module")
def proxy(server: Server, log: Path) -> Iterator[Server]:
    """The server as it is reached through nginx."""
    folder, port = log.parent, free_port()
    site = (Path(settings.BASE_DIR) / "deploy/nginx.conf").read_text()
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace("listen 80;", f"listen 127.0.0.1:{port};")
    site = site.replace("/var/log/nginx", str(folder))
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, site=site))
    nginx = subprocess.Popen([str(NGINX), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")])
    reached = object.__new__(Server)
    reached.port, reached.process = port, server.process
    until(lambda: reached.get("/healthz"))
    yield reached
    nginx.terminate()
    nginx.wait()


def test_bodies_in_chunks_get_through(proxy: Server) -> None:
    answer = proxy.send(chunked("POST", "/v1/auth/token", body=b'{"email": "x@example.com"}'))
    assert status(answer) == 400
    assert [error["pointer"] for error in problem(answer)["errors"]] == ["/password"]


def test_its_log_has_no_secret_of_a_link(proxy: Server, log: Path) -> None:
    secrets = ["/invitations/accept/?token=sealed", "/accounts/password/reset/key/1a-sealed/", "/v1/whoami?key=sealed"]
    for target in secrets:
        proxy.send(request("GET", target, "Referer: https://tollgate.example/?token=sealed"))
    until(lambda: log.read_text().count("GET") >= len(secrets))
    assert "/accounts/password/reset/key/..." in log.read_text()
    assert "sealed" not in log.read_text()


def problem(answer: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return document


REFUSED = {
    413: request("POST", "/v1/auth/token")[:-2] + b"Content-Length: 5000000\r\n\r\n",
    414: request("GET", "/v1/whoami?" + "a" * 20_000),
    431: request("GET", "/v1/whoami", "X: " + "a" * 20_000),
}


@pytest.mark.parametrize("expected", REFUSED)
def test_what_nginx_refuses_is_a_problem_document(proxy: Server, expected: int) -> None:
    answer = proxy.send(REFUSED[expected])
    assert (status(answer), problem(answer)["status"]) == (expected, expected)
    assert b"application/problem+json" in answer


def test_too_many_headers_are_refused_by_the_server_behind_it(proxy: Server) -> None:
    answer = proxy.send(request("GET", "/v1/whoami", *[f"X-{number}: x" for number in range(101)]))
    assert (status(answer), problem(answer)["code"]) == (431, "too_many_headers")


NOT_HTTP = {
    "garbage": b"\0\1\2\r\n\r\n",
    "version": b"GET / HTTP/9.1\r\nHost: x\r\n\r\n",
    "method": request("TRACE", "/v1/whoami"),
    "coding": request("POST", "/v1/auth/token", "Transfer-Encoding: gzip"),
}


@pytest.mark.parametrize("fault", NOT_HTTP)
def test_what_nginx_does_not_understand_is_a_problem_document(proxy: Server, fault: str) -> None:
    answer = proxy.send(NOT_HTTP[fault])
    assert (status(answer), problem(answer)["code"]) == (400, "bad_request")


def test_slow_clients_delay_nobody(proxy: Server) -> None:
    half = request("POST", "/v1/auth/token", body=b'{"email": "x@example.com"}')[:-5]
    with ExitStack() as stack:
        for _ in range(SLOW):
            stack.enter_context(proxy.connect()).sendall(half)
        began = time.monotonic()
        assert status(proxy.get("/readyz")) == 200
        assert time.monotonic() - began < PROMPT_SECONDS
