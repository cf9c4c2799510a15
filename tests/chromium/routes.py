"""The pages, from the URL configuration. A new one is opened without being named here, or lacks a parameter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote as quoted
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.views.generic import RedirectView

from accounts import scopes
from tests.chromium.world import World

ROLES = {role: scopes.BY_ROLE[role] for role in ("owner", "viewer", "billing")} | {"visitor": scopes.READS}
API = ("^v1/", "^auth/", "^api/", "v1/", "auth/", "api/", ".well-known/", "healthz", "readyz", "metrics", "webhooks/")
REQUEST = "admin:billing_changerequest_new"
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
MODELS = tuple(f"admin:{app}_" for app in ("accounts", "admin", "apikeys", "auth", "billing", "usage"))
MODELS_OPENED_EVERY = 4
# Addresses that answer a GET with something else than a page of their own.
NO_PAGE = {
    "events-export": "a file",
    "export-download": "a file",
    "my-export-download": "a file",
    "billing:invoice-csv": "a file",
    "billing:invoice-pdf": "a file",
    "admin:finance-package-download": "a file",
    "billing:cards": "where the gateway's page leads back to",
    "docs": "Swagger UI's own, out of its wheel",
    "provider-callback": "where a provider leads back to",
    "mfa_login_webauthn": "JSON",
    "mfa_reauthenticate_webauthn": "needs a passkey: tests/accounts/pages/test_passkeys.py looks at it",
    "admin:autocomplete": "JSON",
    "admin:jsi18n": "a script",
    "admin:view_on_site": "leads to another page",
    "admin:customer-note": "takes a form",
    "admin:billing_changerequest_decide": "takes a form",
    "admin:logout": "takes a form",
    "admin:password_change": "leads to our own page",
    "admin:login": "leads to our own page of signing in",
}
# Pages that are for those who are signed in to nothing, and those that need a session of their own.
NOBODYS = {
    *("account_login", "organization-sign-in", "account_signup", "account_inactive", "account_reset_password"),
    *("account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done"),
    *("home", "accept-invitation", "undo-email-change"),
    *("billing:sandbox-session", "billing:sandbox-authentication"),
}
SIGNED_IN_AS = {
    "account_verify": "signing_up",
    "confirm-email": "changing",
    "mfa_authenticate": "halfway",
    "mfa_reauthenticate": "guarded",
    "mfa_deactivate_totp": "guarded",
    "mfa_view_recovery_codes": "guarded",
    "mfa_generate_recovery_codes": "guarded",
    "mfa_edit_webauthn": "guarded",
    "mfa_remove_webauthn": "guarded",
}
# What a page asks for beyond the scope that its view names.
NEEDS = {"apikeys:remove": "members:write"}
# More of what a page may show: its name, and the query.
VARIANTS = (
    ("usage:usage", "range=year&by=key&compare=on"),
    ("usage:usage", "measure=units"),
    ("usage:usage", "from=2001-01-01&to=2001-01-02"),
    ("billing:ledger", "kind=usage"),
    ("billing:ledger", "q=nothing+has+this"),
    ("billing:ledger", "from=2026-02-02&to=2026-01-01"),
    ("billing:invoices", "q=nothing"),
    ("apikeys:keys", "status=revoked"),
    ("apikeys:keys", "q=nothing"),
    ("apikeys:people", "q=nothing"),
    ("events", "actor=nobody"),
    ("events", "from=yesterday"),
    ("usage:search", "q=e"),
    ("usage:search", "q=nothing"),
    ("organizations", "q=nothing"),
    ("webhook-endpoint", "status=failed"),
    ("webhook-endpoint", "status=cancelled"),
    ("usage:statement", "from=2001-01-01&to=2001-01-31"),
)


@dataclass(frozen=True)
class Page:
    """`roles` are those who may open it. Others get a refusal, which is a page as well.

    The default run opens every page of ours. Of what a page may show besides, and of the admin's pages, which Django
    makes alike for all models, it opens some.
    """

    name: str
    path: str
    roles: tuple[str, ...]
    others: tuple[str, ...] = ()
    by_default: bool = True


def pages(world: World) -> list[Page]:
    own = [_own(world, *place) for place in routes() if _is_page(*place) and not place[1].startswith("admin:")]
    return [*own, *_variants(own, world), *_of_the_desk(world)]


def routes(patterns: Any = None, prefix: str = "", space: str = "") -> Iterator[tuple[str, str, Any]]:
    """All addresses: their route, name and view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route, f"{pattern.namespace}:" if pattern.namespace else space)
        elif isinstance(pattern, URLPattern):
            yield route, f"{space}{pattern.name}", pattern.callback


def _is_page(route: str, name: str, callback: Any) -> bool:
    view = getattr(callback, "view_class", None)
    answers = view is None or (hasattr(view, "get") and not issubclass(view, RedirectView))
    return answers and not route.startswith(API) and name not in NO_PAGE and not name.endswith("None")


def _own(world: World, route: str, name: str, callback: Any) -> Page:
    named = (getattr(callback.view_class, "scopes", None) or {}).get("get")
    path, scope = _path(world, route, name), NEEDS.get(name, named)
    if name in NOBODYS:
        return Page(name, path, ("nobody",))
    if name in SIGNED_IN_AS:
        return Page(name, path, (SIGNED_IN_AS[name],))
    roles = tuple(role for role, held in ROLES.items() if not scope or scope in held)
    return Page(name, path, roles, tuple(role for role in ROLES if role not in roles))


def _path(world: World, route: str, name: str) -> str:
    """Its address. `KeyError` for a parameter that the world has no value for."""
    parameters = PARAMETER.findall(route)
    address = reverse(name, args=[world.names.get(f"{name} {each}") or world.names[each] for each in parameters])
    return f"{address}?{world.queries[name]}" if name in world.queries else address


def _variants(own: list[Page], world: World) -> Iterator[Page]:
    named = {page.name: page for page in own}
    for name, query in VARIANTS:
        path = named[name].path.partition("?")[0]
        yield replace(named[name], path=f"{path}?{query}", others=(), by_default=False)
    child = world.names["node"]
    for name in ("usage:overview", "usage:usage", "billing:credits", "billing:ledger", "billing:tree"):
        yield Page(name, reverse(name, args=[child]), ("owner", "viewer"), by_default=name == "billing:credits")
    yield Page("404", "/o/acct_0000000000000000/", ("owner",))


def _of_the_desk(world: World) -> Iterator[Page]:
    """The pages of the admin, with those of the first row of each model."""
    for route, name, callback in routes():
        if (
            not _is_page(route, name, callback)
            or not name.startswith("admin:")
            or (name.startswith(MODELS) and name != REQUEST)
        ):
            continue
        yield Page(name, _path(world, route, name), ("operator",))
    for number, (model, page) in enumerate(admin.site._registry.items()):
        name, row = f"admin:{model._meta.app_label}_{model._meta.model_name}", model._default_manager.first()
        some, first = number % MODELS_OPENED_EVERY == 0, number == 0
        yield Page(f"{name}_changelist", reverse(f"{name}_changelist"), ("operator",), by_default=some)
        if page.has_add_permission(world.request):
            yield Page(f"{name}_add", reverse(f"{name}_add"), ("operator",), by_default=first)
        if row is None:
            continue
        for verb in _verbs(page, row, world):
            address = reverse(f"{name}_{verb}", args=[quoted(row.pk)])
            yield Page(f"{name}_{verb}", address, ("operator",), by_default=some if verb == "change" else first)


def _verbs(page: Any, row: Any, world: World) -> tuple[str, ...]:
    """What the operator may open of a row."""
    return ("change", "history", "delete") if page.has_delete_permission(world.request, row) else ("change", "history")
