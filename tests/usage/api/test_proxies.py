"""deploy/nginx-gate.conf and deploy/Caddyfile, with this machine's nginx and Caddy, in front of an API that echoes."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from tollgate_client import Client, Reporter, Spool
from tollgate_client.access_log import FIELDS, Format
from tollgate_client.tail import Tail

from apikeys import keys
from billing.models import Hold
from tests import factories
from tests.config.web.conftest import Server, free_port, running, status, until
from tests.usage.metering.batches import balance
from usage.models import UsageEvent

FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/usr/local/bin"
PROXIES = ["nginx", "caddy"]
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n{site}"


class Echo(BaseHTTPRequestHandler):
    """The company's API: answers with the headers and the body that reach it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.title(): value for name, value in self.headers.items()}
        content = json.dumps({"headers": headers, "body": body, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def tollgate(second_database: str) -> Iterator[Server]:
    with running(second_database, TRUSTED_PROXIES="0", ALLOWED_HOSTS="tollgate.example.com,127.0.0.1") as server:
        yield server


@pytest.fixture
def proxied(
    request: pytest.FixtureRequest, committed: None, upstream: int, tollgate: Server, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """A request through the proxy that the test names."""
    program = shutil.which(request.param, path=FOLDERS)
    if program is None:
        pytest.skip(f"there is no {request.param} on this machine")
    port, platform = free_port(), keys.create_platform("gateway")[1]
    name = "nginx-gate.conf" if request.param == "nginx" else "Caddyfile"
    site = (Path(settings.BASE_DIR) / "deploy" / name).read_text()
    for old, new in {
        "127.0.0.1:8000": f"127.0.0.1:{tollgate.port}",
        "127.0.0.1:9000": f"127.0.0.1:{upstream}",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "sk_live_PLATFORM_KEY": platform,
        "/var/log/nginx/tollgate.log": f"{tmp_path}/access.log",
        "/var/log/caddy/tollgate.log": f"{tmp_path}/access.log",
        "api.example.com {": f"http://api.example.com:{port} {{\n\tbind 127.0.0.1",
    }.items():
        site = site.replace(old, new)
    (tmp_path / name).write_text((NGINX if request.param == "nginx" else CADDY).format(folder=tmp_path, site=site))
    command = {
        "nginx": [program, "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/{name}"],
        "caddy": [program, "run", "--config", f"{tmp_path}/{name}", "--adapter", "caddyfile"],
    }[request.param]
    process = subprocess.Popen(
        command, env=os.environ | {"TOLLGATE_PLATFORM_KEY": platform, "HOME": str(tmp_path)}, stderr=subprocess.DEVNULL
    )
    reached = object.__new__(Server)
    reached.port, reached.process = port, process
    until(lambda: process.poll() is not None or reached.get("/"))

    def send(*headers: str, body: bytes = b"") -> Any:
        head = [
            "POST /v1/messages?to=1 HTTP/1.1",
            f"Host: api.example.com:{port}",
            f"Content-Length: {len(body)}",
            *headers,
        ]
        answer = reached.send("\r\n".join([*head, "", ""]).encode() + body)
        return status(answer), json.loads(answer.partition(b"\r\n\r\n")[2]), answer

    yield send
    process.terminate()
    process.wait()


@pytest.mark.parametrize("proxied", PROXIES, indirect=True)
def test_a_customers_request_goes_through_or_is_refused(proxied: Callable[..., Any]) -> None:
    organization = factories.organization()
    factories.credit(organization, Decimal("0.0015"))
    key, secret = factories.key(organization, rate_limit=1, rate_limit_window_seconds=60)
    code, echo, _ = proxied(f"X-Api-Key: {secret}", "X-Tollgate-Organization: acct_forged", body=b'{"text": "hi"}')
    assert code == 200
    assert (echo["body"], echo["path"]) == ('{"text": "hi"}', "/v1/messages?to=1")
    assert echo["headers"]["X-Tollgate-Organization"] == organization.public_id
    assert echo["headers"]["X-Tollgate-Key-Id"] == key.public_id
    assert secret not in json.dumps(echo)

    poor = factories.key(factories.organization())[1]
    for presented, expected, problem in (
        ("sk_live_unknown", 401, "not_found"),
        (poor, 402, "insufficient_credits"),
        (factories.key(organization, allowed_cidrs=["10.0.0.0/8"])[1], 403, "ip_not_allowed"),
        (secret, 429, "rate_limited"),
    ):
        code, document, answer = proxied(f"X-Api-Key: {presented}", "X-Tollgate-Platform-Key: sk_live_forged")
        assert (code, document["status"], document["code"]) == (expected, expected, problem)
        assert b"application/problem+json" in answer
        assert (b"\r\nretry-after: " in answer.lower()) is (expected == 429)


CADDY_FIELDS = {
    "occurred_at": "ts",
    "endpoint": "request.uri",
    "key_id": "resp_headers.X-Tollgate-Key-Id",
    "hold": "resp_headers.X-Tollgate-Hold",
}


@pytest.mark.parametrize("proxied", PROXIES, indirect=True)
def test_the_log_becomes_usage_and_captures_what_the_door_held(
    proxied: Callable[..., Any], tollgate: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    organization = factories.organization()
    factories.credit(organization, 1)
    key, secret = factories.key(organization)
    for presented in (secret, "sk_live_unknown", secret):
        proxied(f"X-Api-Key: {presented}")
    assert Hold.objects.of(organization).filter(status="open").count() == 2
    is_caddy = request.node.callspec.params["proxied"] == "caddy"
    form = Format({"meter": "requests"}, {**FIELDS, **CADDY_FIELDS} if is_caddy else FIELDS)
    tail = Tail(tmp_path / "access.log", Spool(tmp_path / "usage.db"), form)
    client = Client(f"http://127.0.0.1:{tollgate.port}", keys.create_platform("tail")[1])
    until(lambda: tail.catch_up() + tail.spool.waiting() == 2)
    Reporter(client, tail.spool, every=60).close()
    events = UsageEvent.objects.of(organization).values_list("key_id", "endpoint", "failed")
    assert list(events) == [(key.pk, "/v1/messages", False)] * 2
    assert {hold.status for hold in Hold.objects.of(organization)} == {"captured"}
    assert balance(organization) == Decimal("0.998")
