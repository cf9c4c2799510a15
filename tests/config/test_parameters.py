"""A query parameter that a route doesn't have is a 400 that names it, on every route of our own API."""

import re
from typing import Any

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from config.parameters import declared
from tests.conftest import Api

# Other people's references say nothing about such parameters, and a proxy passes on its customer's query.
IGNORED = re.compile(r"/v1/(Account/.*|account|account/details|gate/authorize.*|openapi\.json)$")
ARGUMENT = re.compile(r"<[^>]*>|\(\?P<[^>]*>(?:[^()]|\([^()]*\))*\)")
NAME = "no-such-name"


def views() -> dict[tuple[str, str], Any]:
    """The view of each path and method of the API, from the configuration of URLs."""
    by_path: dict[tuple[str, str], Any] = {}

    def walk(resolver: URLResolver, prefix: str) -> None:
        for entry in resolver.url_patterns:
            path = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                walk(entry, path)
            elif hasattr(entry.callback, "cls"):
                by_path.update({(example(path), method): entry.callback for method in methods(entry)})

    walk(get_resolver(), "")
    return by_path


def example(route: str) -> str:
    """A path of this route."""
    paths = ("/" + re.sub(r"[$*^]|\\Z", "", ARGUMENT.sub(value, route)) for value in ("x", "1", "2026-10"))
    return next(path for path in paths if is_routed(path))


def is_routed(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def methods(entry: URLPattern) -> set[str]:
    view: Any = entry.callback
    has = getattr(view, "actions", None) or {name for name in view.cls.http_method_names if hasattr(view.cls, name)}
    return {method.upper() for method in has} & {"GET", "POST", "PUT", "PATCH", "DELETE"}


VIEWS = views()
MAKES_KEYS = ("/v1/account/api-keys", "POST")
OURS = [key for key in VIEWS if key[0].startswith("/v1/") and not IGNORED.match(key[0]) and key != MAKES_KEYS]


def is_refused(answer: Any, name: str) -> bool:
    """Whether just this name is refused as one that isn't known."""
    if answer.headers.get("Content-Type") != "application/problem+json":
        return False
    error = {"pointer": f"/{name}", "detail": "There is no such parameter."}
    return bool(answer.status_code == 400 and answer.json().get("errors") == [error])


def test_a_name_that_a_route_does_not_have_is_refused(anonymous: Api) -> None:
    assert sum(method == "GET" for _, method in OURS) > 60
    for path, method in OURS:
        answer = getattr(anonymous, method.lower())(f"{path}?{NAME}=1")
        assert is_refused(answer, NAME), (path, method)


def test_the_names_of_the_document_are_taken(anonymous: Api) -> None:
    names = {key: declared(view, key[1]) for key, view in VIEWS.items() if key in OURS}
    assert {"limit", "offset", "after"} < (names["/v1/events", "GET"] or set())
    for (path, method), known in names.items():
        for name in known or ():
            assert not is_refused(getattr(anonymous, method.lower())(f"{path}?{name}=1"), name), (path, name)


def test_the_routes_of_others_ignore_it(anonymous: Api) -> None:
    ignored = [key for key in VIEWS if key not in OURS]
    assert {"/v1/account", "/auth/account/usage", "/v1/Account/x/", "/api/v1/events"} <= {path for path, _ in ignored}
    for path, method in ignored:
        assert not is_refused(getattr(anonymous, method.lower())(f"{path}?{NAME}=1"), NAME), (path, method)


def test_a_list_with_a_typo_is_refused(api: Any, alice: Any, gateway: Api) -> None:
    assert is_refused(api(alice).get("/v1/exports?statsu=ready"), "statsu")
    assert is_refused(gateway.post("/v1/keys/verify?x=1", {"key": "sk_live_x"}), "x")
    both = api(alice).get("/v1/events?limit=1&a=1&b=2")
    assert [error["pointer"] for error in both.json()["errors"]] == ["/a", "/b"]


def test_a_parameter_is_given_only_once(api: Any, alice: Any) -> None:
    """Which of two values counted would be a guess."""
    twice = api(alice).get("/v1/events?limit=1&limit=2&type=a&type=a")
    assert (twice.status_code, [error["pointer"] for error in twice.json()["errors"]]) == (400, ["/limit", "/type"])
