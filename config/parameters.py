"""Refuses query parameters that a route doesn't have, so that a typo never means "unfiltered", and any given twice."""

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_noop
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import ComponentRegistry, build_mock_request

from config import problems

OURS = "/v1/"
# These routes follow other vendors' references, which don't mention unknown parameters, so we ignore them.
OTHERS = ("/v1/account", "/v1/account/details")
MAKES_KEYS = "/v1/account/api-keys"  # the POST follows another vendor's reference, the rest is ours

MOST, LONGEST = 20, 100  # that an answer names, and characters of a name

_making = Lock()


class KnownParameters:
    """Middleware that holds a request against the query parameters of its route in the OpenAPI document.

    A view with `takes_any_parameter` is left alone: its query is somebody else's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if not request.META.get("QUERY_STRING") or not _is_checked(request, view):
            return None
        method = "GET" if request.method == "HEAD" else request.method or ""
        if method.lower() not in _methods(view):  # callers make up as many as they like, and `declared` keeps them
            return None
        with _making:
            known = declared(view, method)
        if known is None:
            return None
        if unknown := sorted(request.GET.keys() - known):
            return _refuse(
                request, gettext_noop("Some parameters are not known."), unknown, "There is no such parameter."
            )
        if repeated := sorted(name for name, values in request.GET.lists() if len(values) > 1):
            return _refuse(request, gettext_noop("Some parameters are repeated."), repeated, "Must be given only once.")
        return None


def _refuse(request: HttpRequest, detail: str, names: list[str], reason: str) -> HttpResponseBase:
    errors = [{"pointer": f"/{name[:LONGEST]}", "detail": reason} for name in names[:MOST]]
    return problems.refuse(request, 400, "invalid", detail, errors)


def _is_checked(request: HttpRequest, view: Any) -> bool:
    path = request.path
    if not path.startswith(OURS) or path.startswith(problems.PLIVO_PATH) or path in OTHERS:
        return False
    if path == MAKES_KEYS and request.method == "POST":
        return False
    return hasattr(view, "cls") and not getattr(view.cls, "takes_any_parameter", False)


@cache
def declared(view: Any, method: str) -> frozenset[str] | None:
    """The names of the query parameters that the OpenAPI document has; None for what it leaves out."""
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]  # the view has only a weak reference to it
    instance = generator.create_view(view, method)
    instance.request = build_mock_request(method, "/", instance, None)  # type: ignore[no-untyped-call]
    if instance.schema.is_excluded():
        return None
    operation = instance.schema.get_operation("/", "", "", method, ComponentRegistry())
    return frozenset(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")


def _methods(view: Any) -> set[str]:
    if actions := getattr(view, "actions", None):
        return set(actions)
    return {method for method in view.cls.http_method_names if hasattr(view.cls, method)} - {"options"}
