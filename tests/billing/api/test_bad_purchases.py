"""What can't be bought: each refusal is clear, and nothing has moved."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.models import Organization, User
from billing.models import BillingAccount, LedgerEntry, Payment, PaymentMethod, SandboxObject
from billing.payments import methods
from tests import factories
from tests.conftest import Api

PATH = "/v1/credits/purchases"


def unknown(organization: Organization) -> dict[str, Any]:
    return {"payment_method": f"pm_{UUID(int=7).hex}"}


def foreign(organization: Organization) -> dict[str, Any]:
    return {"payment_method": factories.card(factories.organization()).public_id}


def removed(organization: Organization) -> dict[str, Any]:
    card = factories.card(organization, "pm_card_mastercard")
    methods.remove(card)
    return {"payment_method": card.public_id}


def expired(organization: Organization) -> dict[str, Any]:
    """The default one, which is not named."""
    PaymentMethod.objects.of(organization).update(exp_year=2020)
    return {}


def suspended(organization: Organization) -> dict[str, Any]:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    return {}


def closed(organization: Organization) -> dict[str, Any]:
    BillingAccount.objects.of(organization).update(closed_at="2026-01-01T00:00:00Z")
    return {}


def amount(amount: Any, currency: str | None = None) -> Callable[[Organization], dict[str, Any]]:
    def body(organization: Organization) -> dict[str, Any]:
        if currency:
            BillingAccount.objects.of(organization).update(currency=currency)
        return {"amount": amount}

    return body


def foreign_currency(organization: Organization) -> dict[str, Any]:
    return {"currency": "EUR"}


@pytest.mark.parametrize(
    ("bad", "status", "field"),
    [
        *((card, 400, "/payment_method") for card in (unknown, foreign, removed, expired)),
        *((amount(value), 400, "/amount") for value in (0, -1, "0.001", "1000000", "1e400", None)),
        *((amount(value, "JPY"), 400, "/amount") for value in ("100.5", 49)),
        (foreign_currency, 400, "/currency"),
        (suspended, 403, "organization_suspended"),
        (closed, 409, "billing_account_required"),
    ],
)
def test_it_is_refused_and_nothing_has_moved(
    api: Any, alice: User, organization: Organization, bad: Any, status: int, field: str
) -> None:
    factories.card(organization)
    body = {"amount": 25, **bad(organization)}
    answer = api(alice).post(PATH, body)
    problem = answer.json()
    assert (answer.status_code, field in (problem["code"], *(e["pointer"] for e in problem.get("errors", ())))) == (
        *(status, True),
    )
    assert not Payment.objects.of(organization).exists()
    assert not LedgerEntry.objects.of(organization).exists()
    assert not SandboxObject.objects.filter(kind="intent").exists()


def test_two_purchases_with_one_key_are_one(api: Any, alice: User, organization: Organization) -> None:
    factories.card(organization)
    client: Api = api(alice)
    key = uuid4().hex
    statuses = [client.post(PATH, {"amount": n}, idempotency_key=key).status_code for n in (25, 25, 26)]
    assert statuses == [201, 201, 422]
    assert [entry.amount for entry in LedgerEntry.objects.of(organization)] == [25]
