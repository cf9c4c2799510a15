"""What answers when no view does: faults of ours, and parts that are down."""

from functools import partial
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import tokens
from accounts.models import User
from config.problems import API_PATHS
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.outages import database_down, redis_down

SECRET = "it was 42 all along"


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


class Broken(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"unwritable": object()})

    def post(self, request: Request) -> Response:
        raise LookupError(request.data)


urlpatterns = [
    path("v1/broken", Broken.as_view()),
    path("v1/broken-too", broken),
    path("broken", broken),
    path("", include("config.urls")),
]
handler500 = "config.problems.server_error"
handler404 = "config.problems.not_found"


@pytest.fixture
def with_faults(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


@pytest.mark.usefixtures("with_faults")
@pytest.mark.parametrize("name", ["/v1/broken", "/v1/broken-too"])
def test_a_fault_of_ours_is_a_problem_that_shows_nothing_of_it(anonymous: Any, name: str) -> None:
    response = anonymous.get(name)
    assert (response.status_code, response.headers["Content-Type"]) == (500, "application/problem+json")
    assert response.json()["code"] == "internal_error"
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    for inside in (SECRET, "RuntimeError", "Traceback", __file__):
        assert inside not in response.content.decode()


@pytest.mark.usefixtures("with_faults")
def test_a_fault_of_a_page_is_a_page(anonymous: Any, db: None) -> None:
    response = anonymous.get("/broken")
    assert (response.status_code, response.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert SECRET not in response.content.decode()


@pytest.mark.usefixtures("with_faults")
def test_a_fault_is_logged_with_the_requests_id_and_without_its_headers(
    anonymous: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    anonymous.get("/v1/broken-too", x_request_id="find-me", authorization="Bearer sk_live_hush")
    assert "RuntimeError" in caplog.text
    output = caplog.text + capfd.readouterr().err
    assert "sk_live_hush" not in output


def test_an_unknown_page_is_a_page(anonymous: Any, db: None) -> None:
    response = anonymous.get("/nothing/here")
    assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.fixture
def dora(committed: None) -> User:
    return factories.user("dora")


def from_elsewhere(call: Any) -> Any:
    """The answer as another thread gets it, with a connection of its own."""
    (response,) = race([call])
    return response


def assert_unavailable(response: Any) -> None:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["request_id"] == response.headers["X-Request-Id"]


def test_while_the_database_is_down_the_answer_is_503_and_afterwards_all_is_well(dora: User) -> None:
    client = Api(tokens.issue(dora, dora.current_organization).access)
    with database_down():
        for name in ("/v1/whoami", "/auth/account/credits", "/.well-known/jwks.json"):
            assert_unavailable(from_elsewhere(partial(client.get, name)))
        for name in ("/v1/auth/signup", "/v1/auth/token"):
            body = {"email": "dora@example.com", "password": factories.PASSWORD}
            assert_unavailable(from_elsewhere(partial(Api().post, name, body)))
    assert from_elsewhere(partial(client.get, "/v1/whoami")).status_code == 200


def test_while_redis_is_down_everything_but_tasks_goes_on(dora: User) -> None:
    client = Api(tokens.issue(dora, dora.current_organization).access)
    gateway = Api(factories.platform_key())
    organization = dora.current_organization
    assert organization
    with redis_down():
        assert Api().get("/v1/meters").status_code == 200  # limited by address
        assert client.get("/auth/account/credits").status_code == 200
        assert client.post("/v1/organizations", {"name": "Child"}).status_code == 201
        event = {"id": "e", "organization": organization.public_id, "meter": "sms"}
        assert gateway.post("/v1/usage/events", event).json()["accepted"] == 1


@pytest.mark.parametrize(
    "name", ["/v1", "/v1/x", "/auth/x", "/api/v1/events", "/.well-known/x", "/readyz", "//v1/x", "/V1/x"]
)
def test_a_path_of_the_api_is_known_by_its_first_word(name: str) -> None:
    assert API_PATHS.match(name)


@pytest.mark.parametrize("name", ["/v10", "/authors", "/accounts/login/", "/admin/v1/", "/"])
def test_a_path_of_a_page_only_looks_like_it(name: str) -> None:
    assert not API_PATHS.match(name)


def test_a_path_of_plivos_that_does_not_exist_answers_in_plivos_form(anonymous: Api) -> None:
    answer = anonymous.get("/v1/Account/MA000000000000000000/Nothing/")
    assert answer.status_code == 404
    assert set(answer.json()) == {"api_id", "error"}
