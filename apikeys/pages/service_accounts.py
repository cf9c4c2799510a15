"""Service accounts: members without a sign-in, with their keys and the person to ask about them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts import members, service_accounts
from accounts.lib import spreadsheets, texts
from accounts.lib.attachments import attachment
from accounts.lib.problems import Problem
from accounts.models import Organization, ServiceAccount
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys import departures
from apikeys.models import ApiKey
from apikeys.pages.people import grantable

SHOWN = 200


class ServiceAccountForm(forms.Form):
    name = forms.CharField(max_length=100, help_text=gettext_lazy("What it is for: “Deployment”, say."))
    role = forms.ChoiceField(label=gettext_lazy("Role"))
    responsible = forms.TypedChoiceField(
        coerce=int, label=gettext_lazy("Responsible"), help_text=gettext_lazy("The person to ask about it.")
    )

    def __init__(self, data: Any = None, *, organization: Organization, held: frozenset[str], person: int) -> None:
        super().__init__(data, initial={"role": "developer", "responsible": person})
        role, responsible = self.fields["role"], self.fields["responsible"]
        assert isinstance(role, forms.ChoiceField)
        assert isinstance(responsible, forms.TypedChoiceField)
        role.choices = [choice for choice in grantable(held) if choice in service_accounts.ROLES]
        rows = members.of(organization)[:SHOWN]
        responsible.choices = [(str(row.user_id), row.user.get_short_name()) for row in rows]


class ServiceAccountsMixin(OrganizationMixin):
    section = "people"

    def account(self) -> ServiceAccount:
        living = ServiceAccount.objects.of(self.organization).living()
        row = living.select_related("user", "organization", "responsible").filter(pk=self.kwargs["account"]).first()
        if row is None:
            raise Http404
        return row

    def keys_of(self, account: ServiceAccount) -> Any:
        made = ApiKey.objects.within(self.organization).unrevoked().filter(created_by=account.user_id)
        return made.select_related("organization").order_by("name", "pk")


class ServiceAccountsView(ServiceAccountsMixin):
    """The list, or those with `q` in their name, also as CSV; and the form that makes another one."""

    scopes = {"get": "members:read", "post": "members:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if request.GET.get("format") == "csv":
            return attachment(_table(self._shown()), "service-accounts", "csv")
        return self._page(self._form())

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        try:
            account = service_accounts.create(
                self.organization, by=self.credential, now=timezone.now(), **form.cleaned_data
            )
        except Problem as problem:
            refuse(form, problem)
            return self._page(form, status=400)
        made = {"name": account.user.name}
        messages.success(request, gettext("%(name)s was created. Now give it an API key.") % made)
        return redirect("apikeys:service-accounts", organization)

    def _form(self, data: Any = None) -> ServiceAccountForm:
        return ServiceAccountForm(
            data, organization=self.organization, held=self.credential.scopes, person=self.person.pk
        )

    def _page(self, form: ServiceAccountForm, status: int = 200) -> HttpResponse:
        rows, living = self._shown(), ServiceAccount.objects.of(self.organization).living()
        context = self.get_context_data(
            form=form,
            search=self._search(),
            count=living.count(),
            accounts=[(row, row.user.memberships.all()[0], self.keys_of(row)) for row in rows[:SHOWN]],
            may_write=self.may("members:write"),
            may_make_keys=self.may("keys:write"),
        )
        return render(self.request, "apikeys/service_accounts.html", context, status=status)

    def _search(self) -> str:
        return texts.typed(self.request.GET.get("q", ""))

    def _shown(self) -> QuerySet[ServiceAccount]:
        living = ServiceAccount.objects.of(self.organization).living().filter(user__name__icontains=self._search())
        rows = living.select_related("user", "responsible").prefetch_related("user__memberships")
        return rows.order_by("-created_at", "-pk")


def _table(rows: QuerySet[ServiceAccount]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "name", "role", "responsible", "created_at"),
        (
            [
                *(row.public_id, row.user.name, row.user.memberships.all()[0].role),
                *(row.responsible.email if row.responsible else None, row.created_at.isoformat()),
            ]
            for row in rows
        ),
    )


class RemoveServiceAccountView(ServiceAccountsMixin):
    """Asks first: its keys are revoked with it."""

    scopes = {"get": "members:write", "post": "members:write"}

    def get(self, request: HttpRequest, organization: str, account: str) -> HttpResponse:
        row = self.account()
        context = self.get_context_data(account=row, keys=self.keys_of(row))
        return render(request, "apikeys/remove_service_account.html", context)

    def post(self, request: HttpRequest, organization: str, account: str) -> HttpResponse:
        row = self.account()
        departures.remove_service_account(row, by=self.credential, now=timezone.now())
        messages.success(request, gettext("%(name)s is removed, and its keys are revoked.") % {"name": row.user.name})
        return redirect("apikeys:service-accounts", organization)
