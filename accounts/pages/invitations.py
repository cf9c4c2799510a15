"""The page that the link of an invitation opens."""

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic.base import View

from accounts import accepting, people
from accounts.lib.addresses import caller_network
from accounts.lib.problems import NotFound, Problem, TooManyRequests
from accounts.models import Invitation, User
from accounts.pages.refusals import refused


@method_decorator(never_cache, name="dispatch")
class AcceptInvitationView(View):
    """GET shows the invitation and links to sign-in. POST accepts it and leads to the organization."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        params = request.POST if request.method == "POST" else request.GET
        try:
            accepting.look_up(params.get("token", ""), caller_network(request))
            return super().dispatch(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error
        except TooManyRequests as problem:
            return refused(request, problem)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Whoever has accepted it, by signing up say, is led to the organization."""
        token = request.GET.get("token", "")
        invitation = accepting.find(token)
        if invitation.accepted_at and _is_invited(request, invitation):
            return redirect("usage:overview", invitation.organization.public_id)
        return _page(request, token)

    def post(self, request: HttpRequest) -> HttpResponse:
        token = request.POST.get("token", "")
        if not isinstance(request.user, User):
            return _page(request, token)
        try:
            invitation = accepting.accept(token, user=request.user)
        except NotFound:
            raise
        except Problem as problem:
            return _page(request, token, problem)
        people.switch(request.user, invitation.organization)
        return redirect("usage:overview", invitation.organization.public_id)


def _page(request: HttpRequest, token: str, problem: Problem | None = None) -> HttpResponse:
    invitation = accepting.find(token)
    context = {
        "invitation": invitation,
        "status": invitation.status(timezone.now()),
        "token": token,
        "is_invited": _is_invited(request, invitation),
        "here": f"{request.path}?token={token}",
        "problem": problem,
    }
    return render(request, "accounts/invitation.html", context, status=problem.status if problem else 200)


def _is_invited(request: HttpRequest, invitation: Invitation) -> bool:
    return isinstance(request.user, User) and request.user.email == invitation.email


def token_in(address: str) -> str:
    """The token in an address of this page; empty for any other address."""
    path, _, query = address.partition("?")
    return QueryDict(query).get("token", "") if path == reverse("accept-invitation") else ""
