"""Corrections of the ledger: an admin action, a page that asks for the reason, then the ledger's verb."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.admin.base import actor
from accounts.lib.identifiers import uuid7
from accounts.lib.money import LARGEST, QUANTUM, ZERO, NumberFormField, plain
from accounts.lib.problems import Problem
from billing import clock
from billing.ledger import corrections, thresholds
from billing.models import Invoice, LedgerAccount, LedgerEntry, Payment
from billing.payments import refunds

TITLES = {
    "reverse": "Reverse an entry",
    "adjust": "Adjust the balance",
    "lend": "Set the credit limit",
    "refund": "Refund a payment",
    "credit": "Issue a credit note",
    "write_off": "Give up an invoice",
}


class ReverseForm(forms.Form):
    reason = forms.CharField(max_length=200)
    expires_at = forms.DateTimeField(required=False, help_text="UTC. When credits that are given back expire.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("expires_at") and cleaned["expires_at"] <= timezone.now():
            self.add_error("expires_at", "Must be in the future.")
        return cleaned


class AdjustForm(ReverseForm):
    """`idempotency_key` is made with the page, so that a page sent twice adjusts once."""

    amount = NumberFormField(
        min_value=-LARGEST,
        max_value=LARGEST,
        help_text="A negative amount takes credits.",
    )
    idempotency_key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    field_order = ["amount"]

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError("Must not be 0.")
        return amount


class CreditLimitForm(forms.Form):
    credit_limit = NumberFormField(
        min_value=ZERO,
        max_value=LARGEST,
        help_text="How far below 0 the balance may go.",
    )
    reason = forms.CharField(max_length=200, help_text="The account's owner sees it among the events.")


class RefundForm(forms.Form):
    amount = NumberFormField(
        min_value=QUANTUM,
        required=False,
        help_text="In credits. All that is left of the payment, if it is empty.",
    )
    force = forms.BooleanField(required=False, label="Also if the credits are spent: the balance may go below zero")
    reason = forms.CharField(max_length=200, help_text="The account's owner sees it.")


def adjust(account: LedgerAccount, **params: Any) -> str:
    return f"Posted: {corrections.adjust(account.pk, now=clock.now(account.organization), **params)}."


def reverse(entry: LedgerEntry, **params: Any) -> str:
    return f"Posted: {corrections.reverse(entry, now=clock.now(entry.account.organization), **params)}."


def lend(account: LedgerAccount, **params: Any) -> str:
    lent = thresholds.set_credit_limit(account.pk, now=clock.now(account.organization), **params)
    return f"The credit limit is {plain(lent.credit_limit)}."


def refund(payment: Payment, **params: Any) -> str:
    begun = refunds.begin(payment, **params)
    transaction.on_commit(lambda: refunds.complete(begun.pk))  # The gateway is called with no transaction open.
    return f"{plain(begun.total)} {payment.currency} are being paid back: {begun.public_id}."


def is_allowed(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.add_ledgerentry")


def confirm(
    page: admin.ModelAdmin[Any],
    request: HttpRequest,
    chosen: QuerySet[Any],
    form_class: type[forms.Form],
    verb: Callable[..., str],
) -> HttpResponse | None:
    """Ask for the form's fields, then run `verb` on the one chosen row. It returns the message to show."""
    if chosen.count() != 1:
        page.message_user(request, "Select exactly one.", messages.WARNING)
        return None
    row, confirmed = chosen.get(), "confirmed" in request.POST
    form = form_class(request.POST if confirmed else None, initial={"idempotency_key": f"adjust-{uuid7().hex}"})
    if not (confirmed and form.is_valid()):
        return _page(page, request, row, form)
    try:
        with transaction.atomic():
            message = verb(row, actor=actor(request), **form.cleaned_data)
            page.log_change(request, row, f"{message} Reason: {form.cleaned_data['reason']}")
        page.message_user(request, message)
    except Problem as problem:
        details = [error["detail"] for error in problem.errors] or [str(problem)]
        page.message_user(request, " ".join(details), messages.WARNING)
    return None


def _page(
    page: admin.ModelAdmin[Any],
    request: HttpRequest,
    row: LedgerAccount | LedgerEntry | Payment | Invoice,
    form: forms.Form,
) -> HttpResponse:
    action = request.POST["action"]
    payer = row.account.organization if isinstance(row, LedgerEntry) else row.organization
    context = {
        **page.admin_site.each_context(request),
        "title": f"{TITLES[action]}: {payer}",
        "subtitle": str(row),
        "row": row,
        "form": form,
        "action": action,
        "opts": page.opts,
    }
    return render(request, "admin/billing/correct.html", context)
