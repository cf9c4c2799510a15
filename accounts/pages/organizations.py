"""What all pages about an organization share: who may see them, and what that person may do there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.generic.base import ContextMixin, View

from accounts import people, scopes, second_factors, security, visits
from accounts.access import NotAllowed, require
from accounts.credentials import Credential, Kind
from accounts.lib import timezones
from accounts.lib.addresses import client_address
from accounts.lib.languages import sentence
from accounts.lib.problems import Forbidden, NotFound, Problem
from accounts.models import Organization, User
from accounts.pages.sessions import session_facts
from accounts.pages.visits import visit_of


def session(user: User, organization: Organization) -> Credential:
    """What a person who is signed in may do in an organization now."""
    standing = organization.standing(user)
    return Credential(
        kind=Kind.SESSION,
        id=f"user:{user.pk}",
        user=user,
        organization=organization,
        timezone=user.timezone,
        cap=scopes.ALL,
        held=scopes.of_roles(standing.roles),
        is_operational=standing.is_operational,
        is_proved=user.has_proved_email,
    )


class OrganizationMixin(LoginRequiredMixin, ContextMixin, View):
    """A page about one organization. An outsider gets the same 404 as for an organization that does not exist.

    `scopes` names the scope that each method needs, as in the API. A method without one is refused.
    """

    scopes: ClassVar[Mapping[str, str]] = {}
    section: ClassVar[str] = ""
    person: User
    organization: Organization
    credential: Credential

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User):
            return self.handle_no_permission()
        try:
            self._enter(user, kwargs["organization"])
            return super().dispatch(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error
        except security.TwoFactorNeeded as problem:
            messages.error(request, sentence(problem))
            return _to_factor(request, user)
        except security.SignInMethodNotAllowed as problem:
            if security.has_allowed_method(user, self.organization):
                return _sign_in_again(request, problem)
            messages.error(request, f"{sentence(problem)} {_what_to_add(self.organization)}")
            return redirect("mfa_index")
        except security.SessionTooOld as problem:
            return _sign_in_again(request, problem)
        except NotAllowed:
            return refusal(
                request,
                Forbidden(gettext("Your role in %(name)s does not allow this.") % {"name": self.organization.name}),
            )
        except Problem as problem:
            return self.refused(problem)

    def refused(self, problem: Problem) -> HttpResponse:
        """The answer when what was asked for is not possible."""
        return refusal(self.request, problem)

    def _enter(self, user: User, public_id: str) -> None:
        self.person = user
        visit = visit_of(self.request)
        if visit and (visited := visits.reached(visit, public_id)):
            self.organization, self.credential = visited, visits.credential(visit, visited)
        else:
            self.organization = people.visible_organization(user, public_id)
            self.credential = replace(session(user, self.organization), **session_facts(self.request, user))
            security.check(self.credential, self.organization, client_address(self.request))
        method = (self.request.method or "").lower()
        if hasattr(self, method):  # otherwise the view answers 405
            require(self.credential, self.scopes.get("get" if method == "head" else method))

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = {
            "status": 405,
            "title": gettext("Nothing to see"),
            "detail": gettext("This address only takes a form. Go back."),
        }
        response = super().http_method_not_allowed(request, *args, **kwargs)
        response.content = render_to_string("error.html", context)
        return response

    def may(self, scope: str) -> bool:
        return scope in self.credential.scopes

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(
            organization=self.organization,
            is_operational=self.credential.is_operational,
            scopes=self.credential.scopes,
            section=self.section,
            zone=timezones.zone(self.person.timezone),
            **context,
        )


def _to_factor(request: HttpRequest, user: User) -> HttpResponse:
    """People with a factor are asked for it; others can add one."""
    if not second_factors.is_enrolled(user):
        return redirect("mfa_index")
    here = urlencode({"next": request.get_full_path()})
    return redirect(f"{reverse('mfa_reauthenticate')}?{here}")


def _sign_in_again(request: HttpRequest, problem: Problem) -> HttpResponse:
    logout(request)
    messages.error(request, sentence(problem))
    return redirect_to_login(request.get_full_path())


def _what_to_add(organization: Organization) -> str:
    admits = security.effective(organization).admits_method
    names = [str(name) for method, name in security.METHOD_NAMES.items() if admits(method)]
    return gettext("It allows: %(methods)s. Add one of them here, then sign in with it.") % {
        "methods": ", ".join(names)
    }


def refusal(request: HttpRequest, problem: Problem) -> HttpResponse:
    title = gettext("Not allowed") if problem.status == 403 else gettext("Not possible")
    context = {"status": problem.status, "title": title, "detail": sentence(problem)}
    page = render_to_string("error.html", context, request)
    return HttpResponse(page, status=problem.status, headers=problem.headers)
