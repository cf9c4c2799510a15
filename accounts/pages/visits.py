"""The session of an operator who visits a customer: it can only read pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic.base import View

from accounts import second_factors, visits
from accounts.models import User, Visit

IN_SESSION = "visit"
SAFE = ("GET", "HEAD", "OPTIONS")
LEAVING = ("end-visit", "account_logout")  # what a visitor may send, beside the forms of the admin
EXPORTS = ("export", "download", "pdf", "csv", "xml")


def visit_of(request: HttpRequest) -> Visit | None:
    """The visit that the request is part of."""
    visit = getattr(request, "visit", None)
    return visit if isinstance(visit, Visit) else None


class ReadOnlyVisits:
    """During a visit, all forms and file downloads are refused: only pages are shown.

    In the admin, operators have their own permissions, with or without a visit.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and IN_SESSION in request.session:
            self._continue(request)
        response = self.get_response(request)
        if visit_of(request) and not _is_admin(request) and _is_file(response):
            return _refusal(request, gettext("Nothing is exported during a visit."))
        return response

    def _continue(self, request: HttpRequest) -> None:
        user, visit = request.user, None
        if isinstance(user, User) and _has_factor(request, user):
            visit = visits.live(UUID(request.session[IN_SESSION]), user, timezone.now())
        if visit is None:
            del request.session[IN_SESSION]
            messages.info(request, gettext("Your visit has ended."))
        request.visit = visit  # type: ignore[attr-defined]

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if visit_of(request) is None or match is None or _is_admin(request):
            return None
        name = match.url_name or ""
        if request.method not in SAFE and name not in LEAVING:
            return _refusal(request, gettext("You are visiting: you can look, and change nothing."))
        if name.endswith(EXPORTS) or request.GET.get("format") in EXPORTS:
            return _refusal(request, gettext("Nothing is exported during a visit."))
        return None


def _has_factor(request: HttpRequest, user: User) -> bool:
    return not settings.OPERATOR_SECOND_FACTOR or second_factors.was_used(request, user)


def _is_admin(request: HttpRequest) -> bool:
    match = request.resolver_match
    return bool(match and "admin" in match.namespaces)


def _is_file(response: HttpResponseBase) -> bool:
    kind = response.headers.get("Content-Type", "text/html")
    return response.status_code == 200 and ("Content-Disposition" in response.headers or "text/html" not in kind)


def _refusal(request: HttpRequest, detail: str) -> HttpResponse:
    page = render_to_string("error.html", {"status": 403, "title": gettext("Not allowed"), "detail": detail}, request)
    return HttpResponse(page, status=403)


class EndVisitView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        visit = visit_of(request)
        if visit is None:
            return redirect("home")
        visits.end(visit, timezone.now())
        del request.session[IN_SESSION]
        messages.success(request, gettext("Your visit has ended."))
        return redirect("admin:customer", visit.organization.public_id)
