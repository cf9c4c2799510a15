"""The sessions of the dashboard, as rows that a person can see and end."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.generic.base import View

from accounts import second_factors, sign_ins
from accounts.lib import session_store
from accounts.lib.problems import NotFound
from accounts.models import User
from accounts.origins import origin_of
from accounts.sign_ins import Current

SEEN = "seen_at"  # in the session: when the row was written last, in seconds since 1970


def current_of(request: HttpRequest) -> Current:
    key = request.session.session_key
    return Current(session_digest=session_store.digest(key) if key else "")


def session_facts(request: HttpRequest, user: User) -> dict[str, Any]:
    """The facts about a session that a security policy checks: its age, how it began, and whether a second factor was
    shown.
    """
    records = get_authentication_records(request, user)
    if not records:
        return {"sign_in_method": "unknown"}
    first = records[0]
    method = "passkey" if first.get("passwordless") else first.get("provider") or first["method"]
    return {
        "signed_in_at": datetime.fromtimestamp(first["at"], UTC),
        "sign_in_method": method,
        "second_factor": second_factors.was_used(request, user),
    }


class TrackSessions:
    """Notes a session's use, once a minute at most."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if (key := request.session.session_key) and "_auth_user_id" in request.session:
            self._touch(request, session_store.digest(key))
        return response

    def _touch(self, request: HttpRequest, session_digest: str) -> None:
        """The key is new after each sign-in and change of the password."""
        now = timezone.now()
        seen = request.session.get(SEEN)
        if seen and seen[0] == session_digest and now.timestamp() - seen[1] < sign_ins.GRAIN.total_seconds():
            return
        if isinstance(request.user, User):
            sign_ins.touch(request.user, session_digest, origin_of(request), now)
            request.session[SEEN] = [session_digest, now.timestamp()]


class EndSignInView(LoginRequiredMixin, View):
    """Ends one sign-in, or all but this session."""

    def post(self, request: HttpRequest, id: UUID | None = None) -> HttpResponse:
        assert isinstance(request.user, User)
        now = timezone.now()
        if id is None:
            ended = sign_ins.end_others(request.user, current_of(request), now)
            text = ngettext("%(count)s other sign-in has ended.", "%(count)s other sign-ins have ended.", ended)
            messages.success(request, text % {"count": ended})
            return redirect("mfa_index")
        try:
            sign_ins.end(request.user, id, now)
        except NotFound as error:
            raise Http404 from error
        messages.success(request, gettext("The sign-in has ended."))
        return redirect("mfa_index")
