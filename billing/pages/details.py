"""Billing details: what stands on the papers of the organization."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from billing import accounts
from billing.pages.credits import CreditsMixin
from billing.pages.forms import BillingDetailsForm


class BillingDetailsView(CreditsMixin):
    section = "invoices"
    scopes = {"get": "billing:read", "post": "account:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        return self._show(BillingDetailsForm(instance=accounts.required(self.organization)))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        account = accounts.required(self.organization)
        form = BillingDetailsForm(request.POST, instance=account)
        if not form.is_valid():
            return self._show(form, status=400)
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        with transaction.atomic():
            accounts.update(account, changes)
        messages.success(
            request, gettext("The billing details were saved. Documents that were issued before stay as they are.")
        )
        return redirect("billing:details", self.organization.public_id)

    def _show(self, form: BillingDetailsForm, *, status: int = 200) -> HttpResponse:
        return render(self.request, "billing/details.html", self.get_context_data(form=form), status=status)
