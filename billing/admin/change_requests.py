"""Change requests in the admin: form, preview, confirmation, and the decision of a second person."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin import ReadOnlyAdmin
from accounts.admin.search import owner_fields
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import NotFound, Problem
from accounts.models import User
from billing.admin.request_forms import FORMS, RequestForm
from billing.change_requests import ACTIONS, deciding
from billing.change_requests.preview import Preview
from billing.models import ChangeRequest


def address(kind: str, subject: str) -> str:
    """Of the form that asks for it."""
    return reverse("admin:billing_changerequest_new", args=[kind, subject])


def may_ask(request: HttpRequest, kind: str) -> bool:
    return request.user.has_perm(ACTIONS[kind].permission)


def lead(page: admin.ModelAdmin[Any], request: HttpRequest, kind: str, subjects: list[str]) -> HttpResponse | None:
    """From the action of a list to the form, for the one row that was chosen."""
    if len(subjects) != 1:
        page.message_user(request, _("Select exactly one."), messages.WARNING)
        return None
    return redirect(address(kind, subjects[0]))


def operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ReadOnlyAdmin[ChangeRequest]):
    """The requests of operators, and who decided them. Nobody can approve their own request."""

    list_display = ["kind", "organization", "subject", "amount", "state", "requested_by", "requested_at", "decided_by"]
    list_filter = ["state", "kind", "needs_approval"]
    list_select_related = ["organization", "requested_by", "decided_by"]
    search_fields = [*owner_fields("organization"), "subject__exact", "requested_by__email__exact"]
    ordering = ["-id"]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("new/<str:kind>/<str:subject>/", view(self.ask), name="billing_changerequest_new"),
            path("<uuid:pk>/decide/", view(self.decide), name="billing_changerequest_decide"),
        ]
        return [*own, *super().get_urls()]

    def ask(self, request: HttpRequest, kind: str, subject: str) -> HttpResponse:
        """Show the form; once it is valid, the preview; once that is confirmed, run the request or let it wait."""
        action = ACTIONS.get(kind)
        if action is None:
            raise Http404
        if not may_ask(request, kind):
            raise PermissionDenied
        try:
            form = FORMS[kind](request.POST or None, row=action.load(subject))
        except NotFound as problem:
            raise Http404 from problem
        shown = None
        if form.is_bound and form.is_valid() and "change" not in request.POST:
            try:
                if "confirmed" in request.POST:
                    return self._confirm(request, kind, subject, form)
            except deciding.StalePreview as problem:
                self.message_user(request, sentence(problem), messages.WARNING)
            except Problem as problem:
                form.add_error(None, sentence(problem))
            shown = self._preview(request, kind, subject, form)
        return self._page(request, kind, subject, form, shown)

    def _preview(self, request: HttpRequest, kind: str, subject: str, form: RequestForm) -> tuple[Preview, bool] | None:
        if form.errors:
            return None
        try:
            shown, _, waits = deciding.preview(_proposal(request, kind, subject, form), timezone.now())
        except Problem as problem:
            form.add_error(None, sentence(problem))
            return None
        return shown, waits

    def _confirm(self, request: HttpRequest, kind: str, subject: str, form: RequestForm) -> HttpResponse:
        id, seen = form.cleaned_data["form_id"], request.POST.get("seen", "")
        row = deciding.ask(_proposal(request, kind, subject, form), id=id, seen=seen, now=timezone.now())
        self.log_addition(request, row, f"{row.get_state_display()}. {row.outcome} Reason: {row.reason}")
        waits = row.state == ChangeRequest.State.WAITING
        self.message_user(request, _("It waits for someone else to approve it.") if waits else translated(row.outcome))
        return redirect("admin:billing_changerequest_change", row.pk)

    def _page(
        self, request: HttpRequest, kind: str, subject: str, form: RequestForm, shown: tuple[Preview, bool] | None
    ) -> HttpResponse:
        organization = ACTIONS[kind].organization(form.row)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{translated(ChangeRequest.Kind(kind).label)}: {organization or form.row}",
            "subtitle": str(form.row) if organization and form.row != organization else "",
            "form": form,
            "preview": shown[0] if shown else None,
            "waits": bool(shown and shown[1]),
            "opts": self.opts,
        }
        return render(request, "admin/billing/request.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The request, and while it waits, what it would do now."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            return super().change_view(request, object_id, form_url, extra_context)
        waits, shown, refusal = row.is_waiting(timezone.now()), None, ""
        try:
            shown = deciding.look(row, timezone.now()) if waits else None
        except Problem as problem:
            refusal = sentence(problem)
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "row": row,
            "params": [(name.replace("_", " "), value) for name, value in row.params.items()],
            "rows": shown.rows if shown else row.rows,
            "preview": shown,
            "refusal": refusal,
            "waits": waits,
            "may_approve": waits and self._may_approve(request, row) and row.requested_by_id != request.user.pk,
            "may_decline": waits and self._may_decline(request, row),
            "opts": self.opts,
        }
        return render(request, "admin/billing/change_request.html", context)

    def _may_approve(self, request: HttpRequest, row: ChangeRequest) -> bool:
        """People can only approve what they would be allowed to request themselves."""
        return request.user.has_perm(deciding.APPROVE) and may_ask(request, row.kind)

    def _may_decline(self, request: HttpRequest, row: ChangeRequest) -> bool:
        return row.requested_by_id == request.user.pk or self._may_approve(request, row)

    def decide(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        row = ChangeRequest.objects.filter(pk=pk).first()
        if row is None:
            raise Http404
        approves = "approve" in request.POST
        allowed = self._may_approve(request, row) if approves else self._may_decline(request, row)
        if request.method != "POST" or not allowed:
            raise PermissionDenied
        now, by = timezone.now(), operator(request)
        try:
            if approves:
                row = deciding.approve(row.pk, seen=request.POST.get("seen", ""), by=by, now=now)
            else:
                row = deciding.decline(row.pk, by=by, now=now)
            self.log_change(request, row, f"{row.get_state_display()}. {row.outcome}")
            state = {"state": row.get_state_display()}
            self.message_user(request, row.outcome or _("The request is now: %(state)s.") % state)
        except Problem as problem:
            self.message_user(request, sentence(problem), messages.WARNING)
        return redirect("admin:billing_changerequest_change", row.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChangeRequest]:
        return super().get_queryset(request).select_related("organization", "requested_by", "decided_by")


def _proposal(request: HttpRequest, kind: str, subject: str, form: RequestForm) -> deciding.Proposal:
    reason, note = form.cleaned_data["reason"], form.cleaned_data["note"]
    return deciding.Proposal(kind, subject, form.params(), reason, operator(request), note)
