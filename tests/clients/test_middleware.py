"""The gate in front of Flask, Django and FastAPI, each of them real."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from fastapi import FastAPI, Request
from flask import Flask, request
from flask.testing import FlaskClient
from tollgate_client import Client, Gate, Reporter, Rule, Spool, asgi, wsgi
from werkzeug.test import Client as WsgiClient

from accounts.models import Organization
from billing.models import Hold
from tests import factories
from usage.models import UsageEvent

Call = Callable[[str, dict[str, str]], tuple[int, dict[str, str], Any]]
RULE = Rule(permission="messaging:send", meter="sms", hold_seconds=60)


@pytest.fixture
def secret(customer: Organization) -> str:
    return factories.key(customer, permissions=["messaging:send"])[1]


@pytest.fixture
def reporter(client: Client, spool: Spool) -> Iterator[Reporter]:
    with Reporter(client, spool, every=60) as reporter:
        yield reporter


@pytest.fixture
def gate(client: Client, reporter: Reporter) -> Gate:
    return Gate(client, lambda method, path: None if path == "/health" else RULE, reporter)


def over_flask(gate: Gate) -> Call:
    app = Flask(__name__)
    app.add_url_rule("/health", view_func=lambda: "up", endpoint="health")
    app.add_url_rule("/messages/1", view_func=lambda: (request.environ["tollgate"].verdict.organization, 201))
    app.wsgi_app = wsgi.Middleware(app.wsgi_app, gate)  # type: ignore[method-assign]
    return _over_wsgi(FlaskClient(app))


def over_django(gate: Gate) -> Call:
    """Django's own request and response, without the routes of Tollgate, which runs in this process too."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        django_request = WSGIRequest(environ)
        if django_request.path == "/health":
            start_response("200 OK", [])
            return [b"up"]
        start_response("201 Created" if django_request.path == "/messages/1" else "404 Not Found", [])
        return [django_request.META["tollgate"].verdict.organization.encode()]

    return _over_wsgi(WsgiClient(wsgi.Middleware(application, gate)))


def _over_wsgi(caller: WsgiClient) -> Call:
    def call(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        response = caller.get(path, headers=headers)
        body = response.get_data(as_text=True)
        response.close()
        return response.status_code, {name.lower(): value for name, value in response.headers}, body

    return call


def over_fastapi(gate: Gate) -> Call:
    app = FastAPI()
    app.add_api_route("/health", lambda: "up")

    def message(request: Request, number: int) -> Any:
        return request.scope["tollgate"].verdict.organization

    app.add_api_route("/messages/{number}", message, status_code=201)
    app.add_middleware(asgi.Middleware, gate=gate)

    def call(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        status, answered, body = asyncio.run(_over_asgi(app, path, headers))
        return status, answered, body.decode()

    return call


async def _over_asgi(app: Any, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    client = {"client": ("203.0.113.9", 5000), "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1"}
    await app({**scope, **client, "root_path": "", "headers": raw, "state": {}}, receive, send)
    answered = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], answered, b"".join(message.get("body", b"") for message in messages[1:])


@pytest.mark.parametrize(
    ("over", "endpoint"),
    [(over_flask, "/messages/1"), (over_django, "/messages/1"), (over_fastapi, "/messages/{number}")],
)
def test_what_may_pass_passes_and_is_reported(
    over: Callable[[Gate], Call], endpoint: str, gate: Gate, secret: str, reporter: Reporter, customer: Organization
) -> None:
    call = over(gate)
    assert call("/health", {})[0] == 200
    for headers in ({"X-Api-Key": secret}, {"Authorization": f"Bearer {secret}"}):
        status, _, body = call("/messages/1", headers)
        assert (status, body.strip('"')) == (201, customer.public_id)
    assert call("/elsewhere", {"X-Api-Key": secret})[0] == 404
    reporter.flush()
    events = UsageEvent.objects.of(customer).values_list("endpoint", "failed")
    assert sorted(events) == [("/elsewhere", True), (endpoint, False), (endpoint, False)]
    assert {hold.status for hold in Hold.objects.of(customer)} == {"captured"}
    assert Hold.objects.of(customer).count() == 3


@pytest.mark.parametrize("over", [over_flask, over_django, over_fastapi])
def test_what_may_not_pass_gets_a_problem(over: Callable[[Gate], Call], gate: Gate, customer: Organization) -> None:
    call = over(gate)
    status, headers, body = call("/messages/1", {"X-Api-Key": "sk_live_unknown"})
    assert (status, headers["content-type"], headers["www-authenticate"]) == (401, "application/problem+json", "Bearer")
    assert json.loads(body)["code"] == "not_found"
    assert call("/messages/1", {})[0] == 401
    _, forbidden = factories.key(customer, permissions=["voice:call"])
    assert call("/messages/1", {"X-Api-Key": forbidden})[0] == 403
    assert not UsageEvent.objects.of(customer).exists()


@pytest.mark.parametrize(("decision", "status"), [("refuse", 503), ("serve", 201)])
def test_when_tollgate_does_not_answer(decision: Any, status: int, spool: Spool) -> None:
    nowhere = Client("http://127.0.0.1:9", "sk_live_any", retries=0)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("201 Created", [])
        return [b"served"]

    middleware = wsgi.Middleware(application, Gate(nowhere, RULE, when_unreachable=decision))
    assert WsgiClient(middleware).get("/", headers={"X-Api-Key": "sk_live_any"}).status_code == status
