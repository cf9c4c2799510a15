"""Every route of the API, and how it is to behave. A route without an entry here fails the tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

API = re.compile(r"(v1|auth|api|\.well-known)/")
METHODS = ("get", "post", "put", "patch", "delete")
OWN = frozenset({"own"})
SUBTREE = frozenset({"own", "child", "grandchild"})
PEOPLE = frozenset({"own", "parent"})


@dataclass(frozen=True)
class Route:
    """`scopes`: what each method needs, `""` where any credential will do.

    `names` says what the URL names, if it names an organization's object, and `reach` whose objects it reaches.
    `query` are further parameters of a GET that name something of the subtree: every route takes `organization`, but
    for those that only a platform key may call. A body may be a function of the world. `shows` says whose markers may
    stand in its answers; a role in the parent reaches down, so its people show. `company` are methods of a route for
    all that only a platform key may call.
    """

    scopes: dict[str, str]
    who: str = "tenant"  # or "platform", "either", "credential", "basic", "open"
    names: str = ""
    reach: frozenset[str] = OWN
    unsaid: frozenset[str] = frozenset()  # relations that may go either way
    refusals: frozenset[str] = frozenset()  # codes of a 403 that are not about scopes
    shows: frozenset[str] = OWN
    bodies: dict[str, Any] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    company: frozenset[str] = frozenset()
    anywhere: bool = False  # a platform key need not name an organization

    def is_for_company(self, method: str) -> bool:
        return self.who == "platform" or method in self.company


def read(scope: str, **options: Any) -> Route:
    return Route({"get": scope}, **options)


def administer(body: Any = None, more: frozenset[str] = frozenset()) -> Route:
    """What is done to a node by those who administer it, or its parent. `more` are codes that refuse some of them."""
    return Route(
        {"post": "account:write"},
        who="either",
        names="organization",
        reach=SUBTREE,
        shows=SUBTREE,
        refusals=frozenset({"parent_required", "operator_required", *more}),
        bodies={"post": body},
    )


def own(**body: Any) -> Any:
    """A body that names the organization of the credentials."""
    return lambda world: {"organization": world.id_of("organization", "own"), **body}


def endpoint(scopes: dict[str, str], **options: Any) -> Route:
    """An endpoint of the organization's own; a platform key has others."""
    return Route(scopes, who="either", names="endpoint", **options)


def reservation(names: str, scopes: dict[str, str], **options: Any) -> Route:
    """A hold or a lease, seen by the organization and from above."""
    return Route(scopes, who="either", names=names, reach=SUBTREE, shows=SUBTREE, **options)


def company(names: str = "", **body: Any) -> Route:
    """What only the company does to a customer's credits."""
    return Route({"post": "credits:write"}, who="platform", names=names, bodies={"post": own(**body)})


def plivo(scopes: dict[str, str], body: Any, **options: Any) -> Route:
    """What takes an auth_id and a key of its organization's, as Basic. Its refusals have no code."""
    options = {"reach": SUBTREE, **options}
    return Route(
        scopes, who="basic", names="auth_id", shows=SUBTREE, refusals=frozenset({""}), bodies={"post": body}, **options
    )


OPEN = Route({}, who="open")
OWN_THINGS = OPEN  # of the person whose token it is: `tests/accounts/test_own_things.py` has their tests
ROUTES: dict[str, Route] = {
    ".well-known/jwks.json": OPEN,
    ".well-known/seal-keys.json": OPEN,
    "v1/openapi.json": OPEN,
    "v1/plans": OPEN,
    "v1/meters": OPEN,
    "v1/auth/signup": OPEN,
    "v1/auth/verify": OPEN,
    "v1/auth/token": OPEN,
    "v1/auth/token/refresh": OPEN,
    "v1/auth/token/revoke": OPEN,
    "v1/whoami": read("", who="credential"),
    "v1/auth/switch": Route({"post": ""}, who="credential"),
    "v1/me/exports": OWN_THINGS,
    "v1/me/exports/{id}": OWN_THINGS,
    "v1/me/exports/{id}/download": OWN_THINGS,
    "v1/me/sessions": OWN_THINGS,
    "v1/me/sessions/{id}": OWN_THINGS,
    "v1/me/sessions/end-others": OWN_THINGS,
    "v1/exports": Route({"get": "audit:read", "post": "audit:read"}),
    "v1/exports/{id}": Route({"get": "audit:read"}, names="export"),
    "v1/exports/{id}/download": Route({"get": "audit:read"}, names="export"),
    "v1/organizations": Route(
        {"get": "account:read", "post": "account:write"}, shows=SUBTREE, bodies={"post": {"name": "New"}}, anywhere=True
    ),
    "v1/organizations/{id}": Route(
        {"get": "account:read", "patch": "account:write"},
        names="organization",
        reach=SUBTREE,
        shows=SUBTREE,
        bodies={"patch": {"name": "Renamed"}},
        anywhere=True,
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
    "v1/account/details": read("account:read"),
    "v1/account/api-keys": Route({"get": "keys:read", "post": "keys:write"}, bodies={"post": {"name": "New"}}),
    "v1/account/api-keys/{key_id}": Route(
        {"get": "keys:read", "patch": "keys:write", "delete": "keys:write"},
        names="key",
        bodies={"patch": {"name": "Renamed"}},
    ),
    "v1/account/api-keys/{key_id}/rotate": Route({"post": "keys:write"}, names="key", bodies={"post": {}}),
    "v1/account/security": Route({"get": "security:read", "patch": "security:write"}, bodies={"patch": {}}),
    "v1/organizations/{id}/suspend": administer(),
    "v1/organizations/{id}/resume": administer(),
    "v1/organizations/{id}/close": administer(more=frozenset({"person_required", "above_own_role"})),
    "v1/organizations/{id}/closing": Route(
        {"get": "account:read"},
        who="either",
        names="organization",
        reach=SUBTREE,
        shows=SUBTREE,
        refusals=frozenset({"person_required", "above_own_role"}),
    ),
    "v1/organizations/{id}/budget": Route(
        {"get": "account:read", "post": "account:write"},
        who="either",
        names="organization",
        reach=SUBTREE,
        shows=SUBTREE,
        bodies={"post": {"monthly_budget": 10}},
    ),
    "v1/organizations/{id}/move": administer(lambda world: {"parent": world.id_of("organization", "own")}),
    "v1/service-accounts": Route(
        {"get": "members:read", "post": "members:write"}, bodies={"post": {"name": "New", "role": "viewer"}}
    ),
    "v1/service-accounts/{id}": Route({"get": "members:read", "delete": "members:write"}, names="service_account"),
    "v1/members": read("members:read", shows=PEOPLE),
    "v1/members/{id}": Route(
        {"get": "members:read", "patch": "members:write", "delete": "members:read"},
        names="member",
        reach=PEOPLE,
        shows=PEOPLE,
        refusals=frozenset({"above_own_role", "insufficient_scope"}),  # one may leave, but not send others away,
        bodies={"patch": {"role": "viewer"}},
    ),
    "v1/events": read("audit:read", who="either", shows=SUBTREE),
    # An export has the id of the root, whose log it is of.
    "v1/events/export": read("audit:read", who="either", shows=SUBTREE | {"parent"}),
    "v1/events/head": read("audit:read", who="either", refusals=frozenset({"log_of_root"})),
    "v1/webhook-endpoints": Route(
        {"get": "webhooks:read", "post": "webhooks:write"},
        who="either",
        bodies={"post": {"url": "https://example.com/new", "event_types": ["*"]}},
    ),
    "v1/webhook-endpoints/{id}": endpoint(
        {"get": "webhooks:read", "patch": "webhooks:write", "delete": "webhooks:write"},
        bodies={"patch": {"description": "New"}},
    ),
    "v1/webhook-endpoints/{id}/rotate": endpoint({"post": "webhooks:write"}, bodies={"post": {}}),
    "v1/webhook-endpoints/{id}/enable": endpoint({"post": "webhooks:write"}, bodies={"post": {}}),
    "v1/webhook-endpoints/{id}/disable": endpoint({"post": "webhooks:write"}),
    "v1/webhook-endpoints/{id}/test": endpoint({"post": "webhooks:write"}),
    "v1/webhook-endpoints/{id}/deliveries": endpoint({"get": "webhooks:read"}),
    "v1/webhook-endpoints/{id}/redeliver": endpoint(
        {"post": "webhooks:write"}, bodies={"post": lambda _: {"since": timezone.now().isoformat()}}
    ),
    "v1/webhook-endpoints/{id}/redeliveries": endpoint({"get": "webhooks:read"}),
    "v1/webhook-deliveries/{id}": Route({"get": "webhooks:read"}, who="either", names="delivery"),
    "v1/webhook-deliveries/{id}/attempts": Route({"get": "webhooks:read"}, who="either", names="delivery"),
    "v1/webhook-deliveries/{id}/redeliver": Route({"post": "webhooks:write"}, who="either", names="delivery"),
    "v1/invitations": Route(
        {"get": "members:read", "post": "members:write"},
        bodies={"post": {"email": "new@example.com", "role": "viewer"}},
    ),
    "v1/invitations/accept": OPEN,
    "v1/invitations/{id}": Route({"get": "members:read", "delete": "members:write"}, names="invitation"),
    "v1/invitations/{id}/resend": Route({"post": "members:write"}, names="invitation"),
    "v1/payment-methods": Route(
        {"get": "billing:read", "post": "billing:write"}, bodies={"post": {"gateway_token": "pm_card_visa"}}
    ),
    "v1/payment-methods/{id}": Route(
        {"get": "billing:read", "patch": "billing:write", "delete": "billing:write"},
        names="card",
        bodies={"patch": {"is_default": True}},
    ),
    "v1/payment-methods/setup": Route({"post": "billing:write"}, bodies={"post": {}}),
    "v1/payments": read("billing:read"),
    "v1/payments/{id}": Route({"get": "billing:read"}, names="payment"),
    "v1/payments/{id}/cancel": Route({"post": "credits:write"}, names="payment"),
    "v1/payments/{id}/refunds": Route(
        {"post": "credits:write"}, who="platform", names="payment", bodies={"post": {"reason": "Sorry"}}
    ),
    "v1/invoices": read("billing:read"),
    "v1/invoices/{id}": Route({"get": "billing:read"}, names="invoice"),
    "v1/invoices/{id}/csv": Route({"get": "billing:read"}, names="invoice"),
    "v1/invoices/{id}/pdf": Route({"get": "billing:read"}, names="invoice"),
    "v1/invoices/{id}/xml": Route({"get": "billing:read"}, names="invoice"),
    "v1/invoices/{id}/pay": Route({"post": "credits:write"}, names="invoice", bodies={"post": {}}),
    "v1/subscriptions": Route({"get": "billing:read", "post": "billing:write"}, bodies={"post": {"plan": "developer"}}),
    "v1/subscriptions/{id}": Route(
        {"get": "billing:read", "patch": "billing:write"},
        names="subscription",
        bodies={"patch": {"cancel_at_period_end": True}},
    ),
    "v1/subscriptions/{id}/retry": Route({"post": "billing:write"}, names="subscription"),
    "v1/subscriptions/quote": read("billing:read"),
    "v1/subscriptions/clearance": Route(
        {"post": "credits:write"}, who="either", shows=SUBTREE, bodies={"post": own(cost=1)}
    ),
    "v1/sandbox/clock": Route(
        {"get": "credits:read", "post": "credits:write"},
        who="either",
        bodies={"post": lambda world: own(now=(timezone.now() + timedelta(hours=1)).isoformat())(world)},
    ),
    "v1/credits/purchases": Route({"post": "credits:write"}, bodies={"post": {"amount": 5}}),
    "v1/credits/auto-recharge": Route(
        {"get": "credits:read", "put": "credits:write"},
        bodies={"put": {"enabled": True, "threshold": 5, "amount": 10}},
    ),
    "v1/credits/auto-recharge/retry": Route({"post": "credits:write"}),
    "v1/credits/alerts": Route({"get": "credits:read", "put": "credits:write"}, bodies={"put": {"low_balance": 10}}),
    "v1/credits/holds": Route(
        {"get": "credits:read", "post": "credits:write"},
        who="either",
        shows=SUBTREE,
        bodies={"post": own(amount="0.001", metadata={"a": 1})},
    ),
    "v1/credits/holds/{id}": reservation("hold", {"get": "credits:read"}),
    "v1/credits/holds/{id}/capture": reservation("hold", {"post": "credits:write"}, bodies={"post": {"amount": 0}}),
    "v1/credits/holds/{id}/release": reservation("hold", {"post": "credits:write"}),
    "v1/credits/leases": Route(
        {"get": "credits:read", "post": "credits:write"},
        who="either",
        shows=SUBTREE,
        bodies={"post": own(amount="0.001")},
        company=frozenset({"post"}),
    ),
    "v1/credits/leases/{id}": reservation("lease", {"get": "credits:read"}),
    "v1/credits/leases/{id}/extend": reservation("lease", {"post": "credits:write"}, company=frozenset({"post"})),
    "v1/credits/leases/{id}/return": reservation("lease", {"post": "credits:write"}, company=frozenset({"post"})),
    "v1/credits/grants": Route(
        {"get": "credits:read", "post": "credits:write"},
        who="either",
        bodies={"post": own(amount=1)},
        company=frozenset({"post"}),
    ),
    "v1/credits/adjustments": company(amount=1, reason="Sorry"),
    "v1/finance-packages": read("provisioning:read", who="platform"),
    "v1/finance-packages/{month}": read("provisioning:read", who="platform", names="month"),
    "v1/finance-packages/{month}/download": read("provisioning:read", who="platform", names="month"),
    "v1/ledger/export": read("credits:read"),
    "v1/ledger/head": read("credits:read"),
    "v1/ledger/statement": read("credits:read"),
    "v1/ledger/statement/pdf": read("credits:read"),
    "v1/ledger/{id}/reverse": company("entry", reason="Sorry"),
    "auth/account/credits": read("credits:read"),
    "auth/account/ledger": read("credits:read"),
    "auth/account/usage": read("usage:read", shows=SUBTREE),
    "auth/account/summary": read("credits:read", shows=SUBTREE),
    "v1/Account/{auth_id}/*": plivo({"get": "account:read", "post": "account:write"}, {"city": "X"}),
    "v1/Account/{auth_id}/Subaccount/*": plivo({"get": "account:read", "post": "account:write"}, {"name": "New"}),
    "v1/Account/{auth_id}/Subaccount/{subauth_id}/*": plivo(
        {"get": "account:read", "post": "account:write", "delete": "account:write"},
        {"name": "Renamed"},
        reach=SUBTREE - OWN,
        unsaid=OWN,  # which is a subaccount, or is not
    ),
    "v1/search": read("account:read", shows=SUBTREE),
    "v1/overview": read("usage:read", shows=SUBTREE),
    "v1/overview/checklist": Route({"patch": "usage:read"}, bodies={"patch": {"dismissed": True}}),
    "v1/usage": read("usage:read", shows=SUBTREE, query=("key",)),
    "v1/usage/months": read("usage:read", shows=SUBTREE),
    "v1/usage/events": Route({"post": "usage:write"}, who="platform", bodies={"post": {"events": [{}]}}),
    "v1/usage/events/{id}/void": company("event", reason="Sorry"),
    "api/v1/events": Route({"post": "usage:write"}, who="platform", bodies={"post": {"specversion": "1.0"}}),
    "v1/keys/verify": Route({"post": "keys:read"}, who="platform", bodies={"post": {"key": "sk_live_x"}}),
    "v1/keys/verify/batch": Route(
        {"post": "keys:read"}, who="platform", bodies={"post": {"calls": [{"key": "sk_live_x"}]}}
    ),
    "v1/gate/authorize": Route({"get": "keys:read", "post": "keys:read"}, who="platform"),
    "v1/gate/authorize/{path}": Route({"get": "keys:read", "post": "keys:read"}, who="platform"),
}


def parameters() -> dict[tuple[str, str], set[str]]:
    """What the schema says that each method of each route takes in its query string."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return {
        (path.removeprefix("/"), method): {
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        }
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
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
