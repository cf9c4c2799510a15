"""What every endpoint has in common: refusals are problem documents, and change nothing."""

from typing import Any

import pytest

from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.models import BillingAccount
from usage.models import UsageEvent

KEYS = "/v1/account/api-keys"
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() >= MEMBERS
    assert (problem["type"], problem["status"], problem["code"]) == ("about:blank", status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    return problem


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "{'name': 'x'}",
        '{"name": "x",}',
        '{"name": "x"} and more',
        "\ufeff\ufeff{}",
        "NaN",
        '{"name": "x", "amount": NaN}',
        '{"name": "x", "amount": Infinity}',
        '{"name": "x", "amount": -Infinity}',
        '{"name": "x", "amount": 01}',
        '{"name": "a\0b"}',
        '{"name": "x", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"deep": ' * 100_000,
    ],
)
def test_what_is_no_json_is_refused(api: Any, alice: User, body: str) -> None:
    response = api(alice).client.generic(
        "POST", KEYS, body.encode(), content_type="application/json", headers=api(alice).headers
    )
    if body == "":  # no body at all is an object without members
        assert assert_problem(response, 400, "invalid")["errors"][0]["pointer"] == "/name"
    else:
        assert_problem(response, 400, "parse_error")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "number", ["1e9999999999999999999", "-1e9999999999999999999", "1e-9999999999999999999", "9" * 5000]
)
@pytest.mark.parametrize(
    "field", ["monthly_budget", "rate_limit", "expires_at", "permissions", "name", "allowed_cidrs"]
)
def test_a_number_of_any_size_is_refused_by_its_field(api: Any, alice: User, field: str, number: str) -> None:
    name = "" if field == "name" else '"name": "x", '
    response = api(alice).post(KEYS, f'{{{name}"{field}": {number}}}')

    errors = assert_problem(response, 400, "invalid")["errors"]
    assert [error["pointer"].split("/")[1] for error in errors] == [field]
    assert not ApiKey.objects.exists()


def test_a_refusal_of_json_shows_nothing_of_python(api: Any, alice: User) -> None:
    for body in ("[" * 100_000, "9" * 5000, "1e9999999999999999999", "NaN", "{"):
        detail = api(alice).post(KEYS, body).json()["detail"]
        for inside in ("sys.", "decimal", "class", "recursion", "Traceback", "codec"):
            assert inside not in detail


def test_what_is_not_in_utf_8_is_refused(api: Any, alice: User) -> None:
    client = api(alice)
    body = b'{"name": "\xff\xfe"}'
    response = client.client.generic("POST", KEYS, body, content_type="application/json", headers=client.headers)
    assert_problem(response, 400, "parse_error")


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "5", "1.5", "true", '[{"name": "x"}]'])
@pytest.mark.parametrize("path", [KEYS, "/v1/organizations", "/v1/account", "/v1/credits/purchases"])
def test_where_an_object_is_wanted_the_whole_body_is_named(api: Any, alice: User, path: str, body: str) -> None:
    problem = assert_problem(api(alice).post(path, body), 400, "invalid")
    assert [error["pointer"] for error in problem["errors"]] == [""]


@pytest.mark.parametrize("body", ["null", "5", '"x"', "true"])
def test_the_door_for_events_wants_an_object_too(gateway: Any, body: str) -> None:
    problem = assert_problem(gateway.post("/v1/usage/events", body), 400, "invalid")
    assert [error["pointer"] for error in problem["errors"]] == [""]


def test_each_bad_field_is_named_by_a_json_pointer(api: Any, alice: User) -> None:
    body = {"name": "n" * 101, "email": "x", "address": {"country": "XX", "city": None}}
    problem = assert_problem(api(alice).post("/v1/account", body), 400, "invalid")
    assert {error["pointer"] for error in problem["errors"]} == {"/name", "/email", "/address/country"}
    assert all(error["detail"] for error in problem["errors"])
    assert not BillingAccount.objects.exists()


def test_an_element_of_a_list_is_named_by_its_place(api: Any, alice: User) -> None:
    problem = api(alice).post(KEYS, {"name": "x", "permissions": ["a:b", None, {}]}).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/permissions/1", "/permissions/2"}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_body_that_does_not_say_json_is_refused(api: Any, alice: User, content_type: str) -> None:
    client = api(alice)
    response = client.client.generic("POST", KEYS, '{"name": "x"}', content_type=content_type, headers=client.headers)
    assert_problem(response, 415, "unsupported_media_type")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_known_by_its_name_in_any_case(api: Any, alice: User, content_type: str) -> None:
    client = api(alice)
    response = client.client.generic("POST", KEYS, '{"name": "x"}', content_type=content_type, headers=client.headers)
    assert response.status_code == 201


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "", "nonsense"])
def test_whatever_the_caller_accepts_the_answer_is_json(api: Any, alice: User, accept: str) -> None:
    assert api(alice).get("/v1/whoami", accept=accept).headers["Content-Type"] == "application/json"
    assert_problem(api(alice).get("/v1/organizations/acct_x", accept=accept), 404, "not_found")


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("delete", "/v1/organizations", "GET, POST, HEAD, OPTIONS"),
        ("put", "/v1/whoami", "GET, HEAD, OPTIONS"),
        ("get", "/v1/auth/switch", "POST, OPTIONS"),
        ("get", "/v1/auth/token", "POST, OPTIONS"),
        ("patch", "/auth/account/ledger", "GET, HEAD, OPTIONS"),
        ("trace", "/v1/account", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_is_not_there_is_refused(api: Any, alice: User, verb: str, path: str, allowed: str) -> None:
    response = getattr(api(alice), verb)(path)
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/organizations", "/auth/account/credits", "/v1/account/api-keys"])
def test_head_is_get_without_the_body(api: Any, alice: User, path: str) -> None:
    response = api(alice).head(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/account", "/v1/organizations", "/v1/usage/events", "/v1/auth/token"])
def test_options_is_for_every_credential(api: Any, alice: User, gateway: Any, path: str) -> None:
    client = gateway if "usage" in path else api(alice)
    assert client.options(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/organizations/", "/auth/account", "/api/x", "/.well-known/x", "/v1/%00"]
)
def test_an_unknown_path_is_a_problem_too(api: Any, alice: User, path: str) -> None:
    assert_problem(api(alice).get(path), 404, "not_found")


@pytest.mark.parametrize("padding", [0, 1])
def test_a_body_may_have_a_mebibyte_and_no_more(
    api: Any, alice: User, organization: Organization, padding: int
) -> None:
    body = '{"name": "x"}'
    response = api(alice).post("/v1/organizations", body + " " * ((1 << 20) - len(body) + padding))
    if padding:
        assert_problem(response, 413, "request_too_large")
    assert Organization.objects.filter(parent=organization).count() == 1 - padding


@pytest.mark.parametrize("padding", [0, 1])
def test_events_may_have_four(gateway: Any, organization: Organization, padding: int) -> None:
    body = f'{{"id": "e", "organization": "{organization.public_id}", "meter": "sms"}}'
    response = gateway.post("/v1/usage/events", body + " " * ((4 << 20) - len(body) + padding))
    if padding:
        assert_problem(response, 413, "request_too_large")
    assert UsageEvent.objects.count() == 1 - padding


def test_a_batch_of_1001_is_refused_whole(gateway: Any, organization: Organization) -> None:
    events = [{"id": str(n), "organization": organization.public_id, "meter": "sms"} for n in range(1001)]
    problem = assert_problem(gateway.post("/v1/usage/events", {"events": events}), 400, "invalid")
    assert problem["errors"][0]["pointer"] == "/events"
    assert not UsageEvent.objects.exists()


def test_a_thousand_and_one_parameters_are_refused(api: Any, alice: User) -> None:
    response = api(alice).get("/v1/organizations?" + "&".join(f"p{n}=1" for n in range(1001)))
    assert_problem(response, 400, "bad_request")


def test_a_host_of_a_bad_form_is_refused(api: Any, alice: User) -> None:
    assert_problem(api(alice).get("/v1/whoami", host="a b"), 400, "bad_request")
