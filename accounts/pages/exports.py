"""Pages of exports: of an organization, and of a person's own data. A download takes a recent sign-in."""

from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic.base import View

from accounts.exports import jobs
from accounts.lib.attachments import archive
from accounts.lib.problems import Problem
from accounts.models import Export, User
from accounts.models.exports import ExportQuerySet
from accounts.pages.organizations import OrganizationMixin, refusal

SHOWN = 20


class ExportsView(OrganizationMixin):
    """The organization's exports, and the button that begins one."""

    scopes = {"get": "audit:read", "post": "audit:read"}
    section = "exports"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        jobs.check_may_export(self.credential)
        context = self.get_context_data(exports=_shown(Export.objects.of(self.organization)), now=timezone.now())
        return render(request, "accounts/exports/organization.html", context)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        jobs.check_may_export(self.credential)
        jobs.of_organization(self.organization, by=self.credential.id, now=timezone.now())
        messages.success(request, gettext("The export has begun. This page shows when it is ready."))
        return redirect("exports", organization)


class DownloadView(OrganizationMixin):
    scopes = {"get": "audit:read"}

    def get(self, request: HttpRequest, organization: str, export: UUID) -> HttpResponseBase:
        jobs.check_may_export(self.credential)
        answer: HttpResponseBase = _download(request, _one_of(Export.objects.of(self.organization), export))
        return answer


class OwnExportsView(LoginRequiredMixin, View):
    """The person's own."""

    def get(self, request: HttpRequest) -> HttpResponse:
        exports = _shown(Export.objects.of_person(_person(request)))
        return render(request, "accounts/exports/own.html", {"exports": exports, "now": timezone.now()})

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            jobs.of_person(_person(request), now=timezone.now())
        except Problem as problem:
            return refusal(request, problem)
        messages.success(request, gettext("The export has begun. This page shows when it is ready."))
        return redirect("my-exports")


class OwnDownloadView(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, export: UUID) -> HttpResponseBase:
        answer: HttpResponseBase = _download(request, _one_of(Export.objects.of_person(_person(request)), export))
        return answer


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _shown(exports: ExportQuerySet) -> ExportQuerySet:
    return exports.order_by("-created_at", "-pk")[:SHOWN]


def _one_of(exports: ExportQuerySet, pk: UUID) -> Export:
    export = exports.filter(pk=pk).first()
    if export is None:
        raise Http404
    return export


@reauthentication_required  # type: ignore[untyped-decorator]
def _download(request: HttpRequest, export: Export) -> HttpResponseBase:
    try:
        return archive(*jobs.download(export, timezone.now()), export.public_id)
    except Problem as problem:
        return refusal(request, problem)
