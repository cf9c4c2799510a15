"""Closing an organization: what would end, what prevents it, and the name typed in to confirm."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts.lib.problems import Problem
from accounts.models import Organization
from accounts.pages.forms import refuse
from billing import clock, closing
from billing.pages.tree import TreeMixin


class CloseForm(forms.Form):
    """Whoever closes an organization types in its name."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, data: Any = None, *, organization: Organization) -> None:
        super().__init__(data)
        self.expected = organization.name.strip()
        self.fields["name"].label = gettext("Type %(name)s to confirm") % {"name": self.expected}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(gettext_lazy("This is not the organization's name."))
        return name


class CloseView(TreeMixin):
    scopes = {"get": "account:write", "post": "account:write"}

    def get(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row = self.node()
        closing.check_may_close(row, self.credential)
        return self._page(row, CloseForm(organization=row))

    def post(self, request: HttpRequest, organization: str, node: str) -> HttpResponse:
        row = self.node()
        form = CloseForm(request.POST, organization=row)
        if not form.is_valid():
            return self._page(row, form, status=400)
        try:
            closing.close(row, by=self.credential, now=clock.now(row))
        except Problem as problem:
            refuse(form, problem)
            return self._page(row, form, status=problem.status)
        messages.success(request, gettext("%(name)s is closed.") % {"name": row.name})
        return redirect("organizations")

    def _page(self, row: Organization, form: CloseForm, status: int = 200) -> HttpResponse:
        context = self.get_context_data(node=row, form=form, facts=closing.facts(row, clock.now(row)))
        return render(self.request, "billing/tree/close.html", context, status=status)
