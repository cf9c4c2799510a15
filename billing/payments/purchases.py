"""Beginning a payment: everything is checked under the payer's lock, and a pending row is committed.

Nothing is charged here. `payments.complete` takes the row up.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.lib import identifiers
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization
from billing import accounts, clock
from billing.exceptions import PaymentReused
from billing.invoicing import tax
from billing.invoicing.tax import Tax
from billing.ledger import posting
from billing.models import LedgerAccount, Payment
from billing.payments import methods, minor_units, payment_events, settling

# The sweep leaves a payment alone for this long: its request may still be working on it.
GRACE = timedelta(minutes=1)


class AccountChanged(Conflict):
    """The billing account got another currency while the payment was begun."""

    code = "account_changed"
    detail = "The billing account was changed in the meantime. Try again."


def begin(
    organization: Organization,
    *,
    amount: Decimal,
    method: str | None,
    by: str,
    id: UUID | None = None,
    checkout: bool = False,
    return_url: str = "",
) -> Payment:
    """Commit a pending payment for `amount` credits, with the named card or the default one, or by a checkout page.

    A checkout page leads to `return_url`, or to our own page of the payment.

    `by` is the id of the credential. With an `id` made beforehand, a retry returns the first payment. The same id
    with another organization, card or amount is `PaymentReused`.
    """
    currency, taxes = assess(organization, amount, clock.now(organization))
    with transaction.atomic():
        now = clock.now(organization)
        posting.lock([organization.pk], now)  # So that neither the account is closed nor the card removed meanwhile.
        _check_standing(organization)
        card = None if checkout else methods.choose(organization, method, now)
        terms = {"organization_id": organization.pk, "method_id": card.pk if card else None, "amount": amount}
        if accounts.fix_currency(accounts.required(organization)) != currency:
            raise AccountChanged
        now = Payment.objects.next_moment(organization, now)
        payment, is_new = Payment.objects.get_or_create(
            pk=id or identifiers.uuid7(),
            defaults={
                **terms,
                **charged(taxes),
                "currency": currency,
                "created_by": by,
                "gateway": card.gateway if card else settings.PAYMENT_GATEWAY,
                "created_at": now,
                "next_attempt_at": now + GRACE,
                "expires_at": now + settling.ACTION_LIFE if checkout else None,
                "next_action_url": return_url,
            },
        )
        if is_new:
            payment_events.record(payment, "payment.created", now)
    if any(getattr(payment, name) != value for name, value in terms.items()):
        raise PaymentReused
    return payment


def _check_standing(organization: Organization) -> None:
    """A suspended organization may still pay its debt. Under the payer's lock."""
    if LedgerAccount.objects.get(pk=organization.pk).balance >= 0:
        accounts.require_operational(organization)


def assess(organization: Organization, amount: Decimal, now: datetime) -> tuple[str, list[Tax]]:
    """The currency and the taxes of `amount` credits. `InvalidField` for an amount that can't be charged with them."""
    account = accounts.required(organization)
    currency = accounts.currency_of(account)
    check_amount(amount, currency)
    taxes = tax.assess(account, amount, currency, now)
    check_amount(amount + tax.total(taxes), currency)
    return currency, taxes


def charged(taxes: Sequence[Tax]) -> dict[str, Any]:
    """The fields of a payment that is charged these taxes."""
    return {"tax": tax.total(taxes), "taxes": [each.as_json() for each in taxes]}


def check_amount(amount: Decimal, currency: str) -> None:
    """Refuse an amount that can't be charged in this currency."""
    try:
        minor_units.charge(amount, currency)
    except minor_units.NotChargeable as error:
        raise InvalidField("amount", str(error)) from error
