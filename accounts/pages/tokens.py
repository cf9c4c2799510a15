"""Tokens for a person's own program, made in the browser. People without a password have no other way to get them."""

from allauth.account.decorators import reauthentication_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.views.generic.base import View

from accounts import tokens
from accounts.models import User
from accounts.origins import origin_of
from accounts.pages.sessions import session_facts


@method_decorator(reauthentication_required, name="dispatch")
class TokensView(LoginRequiredMixin, View):
    """GET explains, POST makes a pair, which only its answer shows. They are as good as this session's sign-in."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "accounts/tokens.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)
        facts = session_facts(request, request.user)
        pair = tokens.start(
            request.user,
            origin_of(request),
            second_factor=facts.get("second_factor", False),
            method=facts["sign_in_method"],
        )
        response = render(request, "accounts/tokens.html", {"pair": pair})
        add_never_cache_headers(response)
        return response
