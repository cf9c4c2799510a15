"""Operators correct the ledger: a reason first, then one entry, the admin's history and the customer's event."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse as url
from django.utils import timezone

from accounts.models import Event, Organization, User
from billing.ledger import posting
from billing.models import LedgerAccount, LedgerEntry, Refund
from billing.payments import payments, purchases
from tests import factories


def balance(organization: Organization) -> Decimal:
    return LedgerAccount.objects.get(pk=organization.pk).balance  # type: ignore[no-any-return]


def events_of(organization: Organization) -> list[tuple[str, Any]]:
    """The organization's events, oldest first."""
    return list(Event.objects.of(organization).order_by("pk").values_list("type", "data"))


def history(operator: Client) -> list[str]:
    """What the admin's history says that the operator did, oldest first."""
    entries = LogEntry.objects.filter(user=operator.session["_auth_user_id"]).order_by("pk")
    return [entry.get_change_message() for entry in entries]


def act(operator: Client, model: str, row: Any, action: str, **form: object) -> Any:
    body = {"action": action, "_selected_action": str(row.pk), **form}
    return operator.post(url(f"admin:billing_{model}_changelist"), body, follow=True)


def test_an_operator_reverses_an_entry_after_giving_a_reason(operator: Client, funded: Organization) -> None:
    entry = LedgerEntry.objects.get(account=funded.pk)
    page = act(operator, "ledgerentry", entry, "reverse")
    assert "Reason" in page.content.decode()
    assert balance(funded) == 100
    act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="")
    assert balance(funded) == 100
    act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    assert balance(funded) == 0
    operator_id = operator.session["_auth_user_id"]
    assert LedgerEntry.objects.get(account=funded.pk, seq=2).actor == f"user:{operator_id}"
    again = act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    assert "already reversed" in again.content.decode()


def test_an_operators_adjustment_that_is_sent_twice_is_posted_once(operator: Client, funded: Organization) -> None:
    account = LedgerAccount.objects.get(pk=funded.pk)
    key = act(operator, "ledgeraccount", account, "adjust").context["form"].initial["idempotency_key"]
    form = {"confirmed": "1", "reason": "Sorry", "amount": "-1.5", "idempotency_key": key}
    for _ in range(2):
        act(operator, "ledgeraccount", account, "adjust", **form)
    assert balance(funded) == Decimal("98.5")
    other = act(operator, "ledgeraccount", account, "adjust", **{**form, "amount": "7"})
    assert "belongs to another" in other.content.decode()
    assert balance(funded) == Decimal("98.5")


def credit_limit(organization: Organization) -> Decimal:
    return LedgerAccount.objects.get(pk=organization.pk).credit_limit  # type: ignore[no-any-return]


def test_an_operator_sets_a_credit_limit_and_an_event_says_why(operator: Client, funded: Organization) -> None:
    account = LedgerAccount.objects.get(pk=funded.pk)
    assert "Reason" in act(operator, "ledgeraccount", account, "lend").content.decode()
    for _ in range(2):
        act(operator, "ledgeraccount", account, "lend", confirmed="1", credit_limit="50.5", reason="Postpaid")
    assert credit_limit(funded) == Decimal("50.5")
    assert posting.available(funded.pk, timezone.now()) == Decimal("150.5")
    [event] = Event.objects.of(funded)
    actor = f"user:{operator.session['_auth_user_id']}"
    data = {"before": 0, "credit_limit": Decimal("50.5"), "reason": "Postpaid", "actor": actor}
    assert (event.type, event.data) == ("credits.limit_changed", data)
    assert event.actor == {"kind": "operator", "id": actor}


@pytest.mark.parametrize(
    "form", [{"credit_limit": "-1"}, {"credit_limit": ""}, {"credit_limit": "NaN"}, {"reason": ""}]
)
def test_a_bad_credit_limit_is_shown_and_nothing_changes(
    operator: Client, funded: Organization, form: dict[str, str]
) -> None:
    account = LedgerAccount.objects.get(pk=funded.pk)
    good = {"confirmed": "1", "credit_limit": "5", "reason": "Postpaid"}
    assert "errorlist" in act(operator, "ledgeraccount", account, "lend", **{**good, **form}).content.decode()
    assert credit_limit(funded) == 0


@pytest.mark.parametrize(
    "form", [*({"amount": amount} for amount in ("0", "x", "1e1")), {"expires_at": "2001-01-01"}, {"reason": ""}]
)
def test_an_operators_bad_values_are_shown_and_nothing_is_posted(
    operator: Client, funded: Organization, form: dict[str, str]
) -> None:
    account = LedgerAccount.objects.get(pk=funded.pk)
    good = {"confirmed": "1", "reason": "Sorry", "amount": "1", "idempotency_key": "adjust-1"}
    assert "errorlist" in act(operator, "ledgeraccount", account, "adjust", **{**good, **form}).content.decode()
    assert balance(funded) == 100


def test_staff_who_may_only_look_correct_nothing(db: None, funded: Organization) -> None:
    looker = User.objects.create_user(f"{factories.unique('looker')}@example.com", "x", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__in=["view_ledgerentry", "view_ledgeraccount"]))
    client = Client()
    client.force_login(looker)
    entry = LedgerEntry.objects.get(account=funded.pk)
    act(client, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    account = LedgerAccount.objects.get(pk=funded.pk)
    act(client, "ledgeraccount", account, "lend", confirmed="1", credit_limit="5", reason="Postpaid")
    assert (balance(funded), credit_limit(funded)) == (Decimal(100), Decimal(0))


def test_a_correction_is_in_the_history_and_in_the_customers_events_once(
    operator: Client, funded: Organization
) -> None:
    account, entry = LedgerAccount.objects.get(pk=funded.pk), LedgerEntry.objects.get(account=funded.pk)
    adjustment = {"confirmed": "1", "reason": "Sorry", "amount": "2", "idempotency_key": "adjust-1"}
    for _ in range(2):
        act(operator, "ledgeraccount", account, "adjust", **adjustment)
    act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    actor = f"user:{operator.session['_auth_user_id']}"
    assert events_of(funded) == [
        ("ledger.adjusted", {"entry": 2, "amount": 2, "reason": "Sorry", "actor": actor}),
        ("ledger.reversed", {"entry": 3, "reverses": 1, "amount": -100, "reason": "A mistake", "actor": actor}),
    ]
    assert all(event.actor == {"kind": "operator", "id": actor} for event in Event.objects.of(funded))
    first, again, reversal = history(operator)
    assert first == again
    assert "Sorry" in first
    assert "A mistake" in reversal


def test_a_refused_correction_is_in_neither(operator: Client, funded: Organization) -> None:
    entry = LedgerEntry.objects.get(account=funded.pk)
    act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    before = (events_of(funded), history(operator))
    act(operator, "ledgerentry", entry, "reverse", confirmed="1", reason="A mistake")
    assert (events_of(funded), history(operator)) == before


def test_an_operator_refunds_a_payment(
    operator: Client, organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    factories.card(organization)
    begun = purchases.begin(organization, amount=Decimal(25), method=None, by="test")
    payment = payments.complete(begun.pk)
    with django_capture_on_commit_callbacks(execute=True):
        act(operator, "payment", payment, "refund", confirmed="1", amount="10", reason="Sorry")
    refund = Refund.objects.get()
    assert (refund.status, refund.amount, refund.reason) == ("succeeded", 10, "Sorry")
    assert balance(organization) == 15
    assert "Sorry" in history(operator)[-1]
    refused = act(operator, "payment", payment, "refund", confirmed="1", amount="15.01", reason="Sorry")
    assert "more than is left to refund" in refused.content.decode()
    assert balance(organization) == 15
