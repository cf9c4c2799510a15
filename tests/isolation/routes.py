"""Every route of the API, and how it is to behave. A route without an entry here fails the tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

API = re.compile(r"(v1|auth|api|\.well-known)/")
METHODS = ("get", "post", "put", "patch", "delete")
OWN = frozenset({"own"})
SUBTREE = frozenset({"own", "child", "grandchild"})


@dataclass(frozen=True)
class Route:
    """`scopes`: what each method needs, `""` where any credential will do.

    `names` says what the URL names, if it names an organization's object, and `reach` whose objects it reaches.
    `shows` says whose markers may stand in its answers.
    """

    scopes: dict[str, str]
    who: str = "tenant"  # or "platform", "credential", "open"
    names: str = ""
    reach: frozenset[str] = OWN
    shows: frozenset[str] = OWN
    bodies: dict[str, Any] = field(default_factory=dict)


def read(scope: str, **about: Any) -> Route:
    return Route({"get": scope}, **about)


OPEN = Route({}, who="open")
ROUTES: dict[str, Route] = {
    ".well-known/jwks.json": OPEN,
    "v1/openapi.json": OPEN,
    "v1/plans": OPEN,
    "v1/meters": OPEN,
    "v1/auth/signup": OPEN,
    "v1/auth/token": OPEN,
    "v1/auth/token/refresh": OPEN,
    "v1/auth/token/revoke": OPEN,
    "v1/whoami": read("", who="credential"),
    "v1/auth/switch": Route({"post": ""}, who="credential"),
    "v1/organizations": Route(
        {"get": "account:read", "post": "account:write"}, shows=SUBTREE, bodies={"post": {"name": "New"}}
    ),
    "v1/organizations/{id}": Route(
        {"get": "account:read", "patch": "account:write"},
        names="organization",
        reach=SUBTREE,
        shows=SUBTREE,
        bodies={"patch": {"name": "Renamed"}},
    ),
    "v1/account": Route(
        {
            "get": "account:read",
            "post": "account:write",
            "put": "account:write",
            "patch": "account:write",
            "delete": "account:write",
        },
        bodies={"post": {"name": "A", "email": "a@example.com", "address": {"country": "US"}}, "put": {}, "patch": {}},
    ),
    "v1/account/api-keys": Route({"get": "keys:read", "post": "keys:write"}, bodies={"post": {"name": "New"}}),
    "v1/account/api-keys/{key_id}": Route({"get": "keys:read", "delete": "keys:write"}, names="key"),
    "v1/payment-methods": Route(
        {"get": "billing:read", "post": "billing:write"}, bodies={"post": {"gateway_token": "pm_card_visa"}}
    ),
    "v1/payments": read("billing:read"),
    "v1/subscriptions": Route({"get": "billing:read", "post": "billing:write"}, bodies={"post": {"plan": "developer"}}),
    "v1/credits/purchases": Route({"post": "credits:write"}, bodies={"post": {"amount": 5}}),
    "v1/credits/auto-recharge": read("credits:read"),
    "auth/account/credits": read("credits:read"),
    "auth/account/ledger": read("credits:read"),
    "auth/account/usage": read("usage:read", shows=SUBTREE),
    "auth/account/summary": read("credits:read", shows=SUBTREE),
    "v1/usage/events": Route({"post": "usage:write"}, who="platform", bodies={"post": {"events": [{}]}}),
    "v1/keys/verify": Route({"post": "keys:read"}, who="platform", bodies={"post": {"key": "sk_live_x"}}),
}


def discovered() -> dict[str, set[str]]:
    """The routes of the URL configuration that belong to the API, and their methods."""
    return {route: methods for route, methods in _walk(get_resolver().url_patterns) if API.match(route)}


def _walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield _plain(route), _methods(pattern.callback)


def _plain(route: str) -> str:
    """`v1/things/{id}`, from a path or a regular expression."""
    route = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"{\1}", route)
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).replace("^", "").replace("$", "").replace("\\", "")


def _methods(callback: Any) -> set[str]:
    view = getattr(callback, "cls", None)
    if view is None:
        return {"get"}
    offered = set(getattr(callback, "actions", None) or {m for m in METHODS if hasattr(view, m)})
    return offered & set(view.http_method_names) & set(METHODS)
