"""Traces as a collector gets them: of a web server and a worker, in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from config import telemetry
from tests import factories
from tests.config.web.conftest import Server, database_url, request, running, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
CREATE, PUBLISH = "POST ^v1/account/api-keys$", "accounts.tasks.publish_events"
GATE, GATE_CALLS = "POST v1/keys/verify", 12  # so that each thread has the statement prepared
MARK = "Mxq7Zt"  # in every secret; nothing else has it


class Receiver(ThreadingHTTPServer):
    """An OTLP receiver. `spans` are those that it got, `bytes` all that came in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bytes, self.spans, self.resources = b"", list[Span](), list[Any]()

    @property
    def environment(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_port}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def of(self, request_id: str) -> list[Span]:
        """The spans of the traces in which this request took part."""
        traces = {span.trace_id for span in self.spans if attributes(span).get("tollgate.request_id") == request_id}
        return [span for span in self.spans if span.trace_id in traces]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.resources.append(attributes(resource.resource))
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.server.bytes += body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def attributes(holder: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in holder.attributes}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        Thread(target=receiver.serve_forever).start()
        yield receiver
        receiver.shutdown()


@pytest.fixture(scope="module")
def server(receiver: Receiver, second_database: str) -> Iterator[Server]:
    with worker(receiver, second_database), running(second_database, None, **receiver.environment) as server:
        yield server


@contextmanager
def worker(receiver: Receiver, database: str) -> Iterator[None]:
    own = {"DATABASE_URL": database_url(database), "REDIS_URL": settings.REDIS_URL, **receiver.environment}
    command = [sys.executable, "-m", "celery", "--quiet", "--app", "config", "worker", "--pool", "solo"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | own, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.usefixtures("committed")
def test_a_request_its_statements_and_its_tasks_are_one_trace(server: Server, receiver: Receiver) -> None:
    """Of a key that is made: its event is published by a task."""
    owner = factories.user("traced")
    assert owner.current_organization
    _, secret = factories.key(owner.current_organization, created_by=owner, permissions=["keys:write", "keys:read"])
    body = b'{"name": "Traced", "permissions": ["keys:read"]}'
    headers = [f"Authorization: Bearer {secret}", f"traceparent: 00-{TRACE}-{PARENT}-01"]
    answer = server.send(request("POST", "/v1/account/api-keys", *headers, body=body))
    assert b" 201 " in answer
    until(lambda: {CREATE, PUBLISH} <= {span.name for span in receiver.of("mine")})

    spans = receiver.of("mine")
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    [made] = [span for span in spans if span.name == CREATE]
    assert made.parent_span_id.hex() == PARENT
    assert attributes(made)["http.response.status_code"] == 201
    [published] = [span for span in spans if span.name == PUBLISH]
    assert attributes(published)["tollgate.request_id"] == "mine"
    for parent in (made, published):
        assert any(is_statement(span) and span.parent_span_id == parent.span_id for span in spans)
    assert {resource["service.name"] for resource in receiver.resources} == {"tollgate"}
    assert {resource["tollgate.process"] for resource in receiver.resources} == {"web", "worker"}


def is_statement(span: Span) -> bool:
    return attributes(span).get("db.system.name") == "postgresql"


@pytest.mark.usefixtures("committed")
def test_no_secret_is_in_a_trace(server: Server, receiver: Receiver) -> None:
    _, secret = factories.key(factories.organization(), permissions=["usage:read"])
    platform = factories.platform_key()
    verify = b'{"key": "%s", "ip": "203.0.113.9"}' % secret.encode()
    sign_in = b'{"email": "%s@example.com", "password": "%s"}' % (MARK.encode(), MARK.encode())
    for sent in (
        request("GET", f"/v1/whoami?token={MARK}", f"Authorization: Bearer {secret}", f"Cookie: sessionid={MARK}"),
        request("GET", f"/accounts/password/reset/key/{MARK}/"),
        request("GET", f"/{MARK}"),
        request(MARK.upper(), "/v1/whoami", f"Authorization: Bearer sk_live_{MARK}"),
        *[request("POST", "/v1/keys/verify", f"Authorization: Bearer {platform}", body=verify)] * GATE_CALLS,
        request("POST", "/v1/auth/token", body=sign_in),
    ):
        server.send(sent)
    until(lambda: {"GET v1/whoami", "POST v1/auth/token"} <= {span.name for span in receiver.spans})
    until(lambda: sum(span.name == GATE for span in receiver.spans) == GATE_CALLS)
    calls = {span.span_id for span in receiver.spans if span.name == GATE}
    assert calls <= {span.parent_span_id for span in receiver.spans if is_statement(span)}
    for text in (MARK, MARK.upper(), secret, platform, "203.0.113.9"):
        assert text.encode() not in receiver.bytes


LOADED = """
import django
django.setup()
import config.asgi, sys, psycopg
from django.conf import settings
ours = ("config.tracing", "opentelemetry.sdk.trace", "opentelemetry.exporter")  # redis loads the metrics by itself
print([name for name in sys.modules if name.startswith(ours)])
print(psycopg.Cursor.execute.__module__, "config.tracing.Requests" in settings.MIDDLEWARE)
"""


@pytest.mark.parametrize("off", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}])
def test_nothing_of_it_is_loaded_unless_a_receiver_is_named(off: dict[str, str]) -> None:
    printed = subprocess.run([sys.executable, "-c", LOADED], env=os.environ | off, capture_output=True, text=True)
    assert printed.stdout == "[]\npsycopg.cursor False\n", printed.stderr


def test_a_protocol_that_we_do_not_speak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ImproperlyConfigured, match="OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'"):
        telemetry.start()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "config.tracing", None)
    with pytest.raises(ImproperlyConfigured, match="install the extra `telemetry`"):
        telemetry.start()
