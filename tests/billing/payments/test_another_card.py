"""What waits for another card, and which card is another one: the fingerprint says so, and not the row."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from billing.invoicing import dunning
from billing.models import AutoRecharge, Invoice, InvoiceState, Payment, PaymentMethod
from billing.payments import methods, payments, purchases
from billing.payments.gateways import Card
from tests import factories
from tests.billing.invoicing.drafts import DECEMBER, issue
from tests.billing.payments.buying import paid
from tests.billing.payments.recharging import DECLINED, bought, pause, state, sweep, switch_on

LOST, GOOD, MASTERCARD = "pm_card_chargeDeclinedLostCard", "pm_card_visa", "pm_card_mastercard"


@pytest.fixture
def paused(organization: Organization) -> PaymentMethod:
    return pause(organization)


def waiting_invoice(organization: Organization) -> Invoice:
    """Nothing can be charged for it."""
    invoice = issue(organization, 100)
    InvoiceState.objects.filter(invoice=invoice).update(needs_card=True)
    return invoice


def is_charged(invoice: Invoice) -> bool:
    """Whether the next sweep takes the money for it."""
    payments.sweep(timezone.now())
    return InvoiceState.objects.get(invoice=invoice).status == "paid"


def card_of(method: PaymentMethod, **changes: Any) -> Card:
    """What the gateway shows of it: in time, and with a customer."""
    shown: dict[str, Any] = {
        "token": method.gateway_token,
        "brand": method.brand,
        "last4": method.last4,
        "exp_month": 12,
    }
    shown |= {"exp_year": 2040, "fingerprint": method.fingerprint, "customer": "cus_1", **changes}
    return Card(**shown)


def charge() -> None:
    """The next round: the default card, and then the backup."""
    sweep()
    payments.sweep(timezone.now())


def test_a_declined_card_that_is_removed_and_added_again_is_no_other(
    organization: Organization, paused: PaymentMethod
) -> None:
    methods.remove(paused)
    factories.card(organization, DECLINED)
    assert state(organization) == "paused"


def test_a_new_card_is_charged_in_the_next_round(organization: Organization, paused: PaymentMethod) -> None:
    new = factories.card(organization, GOOD)
    assert (new.is_default, new.is_backup) == (False, True)
    charge()
    assert (bought(organization), state(organization)) == ([50], "armed")


def test_a_card_that_replaces_one_that_was_lost_is_the_default(organization: Organization) -> None:
    lost = factories.card(organization, LOST)
    switch_on(organization)
    sweep()
    new = factories.card(organization, GOOD)
    lost.refresh_from_db()
    assert (new.is_default, lost.is_default) == (True, False)
    charge()
    assert bought(organization) == [50]


def test_a_lost_card_that_is_added_again_is_still_lost(organization: Organization) -> None:
    lost = factories.card(organization, LOST)
    assert paid(organization).status == "failed"
    methods.remove(lost)
    assert factories.card(organization, LOST).declined_code == "lost_card"


def test_a_card_with_which_its_owner_has_paid_can_be_charged_again(organization: Organization) -> None:
    card = factories.card(organization, GOOD)
    PaymentMethod.objects.update(declined_code="fraudulent")
    assert paid(organization, method=card.public_id).status == "succeeded"
    card.refresh_from_db()
    assert card.declined_code == ""


@pytest.mark.parametrize("how", ["default", "backup", "removed", "chosen"])
def test_a_card_on_file_that_was_not_tried_lifts_it(organization: Organization, how: str) -> None:
    other = factories.card(organization, GOOD)
    tried = factories.card(organization, DECLINED)
    methods.change(tried, {"is_default": True})
    switch_on(organization)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    if how == "removed":
        methods.remove(tried)
    elif how == "chosen":
        switch_on(organization, payment_method=other.public_id)
    else:
        methods.change(other, {f"is_{how}": True})
    assert state(organization) == "charging"


def test_the_default_card_that_is_chosen_again_lifts_it(organization: Organization) -> None:
    """The recharge's own card was declined, and its default was never tried."""
    factories.card(organization, GOOD)
    own = factories.card(organization, DECLINED)
    switch_on(organization, payment_method=own.public_id)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    switch_on(organization, payment_method=None)
    assert state(organization) == "charging"


@pytest.mark.parametrize("how", ["saved", "default", "renewed"])
def test_no_card_lifts_a_pause_after_a_chargeback(organization: Organization, how: str) -> None:
    disputed = factories.card(organization, GOOD)
    switch_on(organization)
    AutoRecharge.objects.update(paused="chargeback")
    if how == "saved":
        factories.card(organization, MASTERCARD)
    elif how == "default":
        methods.change(factories.card(organization, MASTERCARD), {"is_default": True})
    else:
        shown = card_of(disputed, fingerprint="another")
        methods.observe(disputed.gateway_token, shown, disputed.gateway, timezone.now())
    assert state(organization) == "paused"


@pytest.mark.parametrize(("by", "paused"), [("user:1", ""), ("auto_recharge", "chargeback"), ("dunning", "chargeback")])
def test_only_a_payment_by_its_owner_lifts_a_pause_after_a_chargeback(
    organization: Organization, by: str, paused: str
) -> None:
    factories.card(organization, GOOD)
    payment = purchases.begin(organization, amount=Decimal(5), method=None, by=by)
    switch_on(organization)
    AutoRecharge.objects.update(paused="chargeback")
    assert payments.complete(payment.pk).status == "succeeded"
    assert AutoRecharge.objects.get().paused == paused


def test_a_card_that_comes_after_one_that_was_not_confirmed_is_charged(organization: Organization) -> None:
    first = factories.card(organization, GOOD)
    switch_on(organization)
    AutoRecharge.objects.update(paused="action_required")
    new = factories.card(organization, MASTERCARD)
    first.refresh_from_db()
    assert (new.is_default, first.is_default, state(organization)) == (True, False, "charging")


def test_a_new_date_puts_right_what_a_card_was_declined_for(organization: Organization) -> None:
    card = factories.card(organization, GOOD)
    switch_on(organization)
    PaymentMethod.objects.update(declined_code="expired_card", exp_year=2020)
    AutoRecharge.objects.update(paused="declined", failed_rounds=1)
    methods.observe(card.gateway_token, card_of(card), card.gateway, timezone.now())
    assert state(organization) == "charging"


@pytest.mark.parametrize("how", ["default", "chosen"])
def test_the_card_that_was_tried_does_not(organization: Organization, paused: PaymentMethod, how: str) -> None:
    factories.card(organization, GOOD)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    if how == "default":
        PaymentMethod.objects.filter(pk=paused.pk).update(is_default=False)
        methods.change(paused, {"is_default": True})
    else:
        switch_on(organization, payment_method=paused.public_id)
    assert state(organization) == "paused"


def test_saving_a_card_again_ends_a_pause_for_want_of_an_authentication(organization: Organization) -> None:
    factories.card(organization, GOOD)
    switch_on(organization)
    AutoRecharge.objects.update(paused="action_required")
    factories.card(organization, GOOD)
    assert state(organization) == "charging"


def test_an_invoice_that_waits_for_another_card_is_charged_when_one_is_made_the_default(
    organization: Organization,
) -> None:
    other = factories.card(organization, GOOD)
    methods.change(factories.card(organization, LOST), {"is_default": True})
    invoice = issue(organization, 100)
    dunning.sweep(DECEMBER)
    assert (invoice.state.status, Payment.objects.get().status) == ("open", "failed")
    methods.change(other, {"is_default": True})
    assert is_charged(invoice)


def test_an_invoice_that_waits_is_charged_when_the_same_card_comes_with_a_new_date(organization: Organization) -> None:
    """The card on file has expired, so what is charged is the new row."""
    factories.card(organization, GOOD)
    PaymentMethod.objects.update(declined_code="expired_card", exp_year=2020)
    invoice = waiting_invoice(organization)
    assert factories.card(organization, GOOD).is_default
    assert is_charged(invoice)


def test_an_invoice_that_waits_is_charged_when_its_owner_pays_with_the_card_again(organization: Organization) -> None:
    card = factories.card(organization, GOOD)
    PaymentMethod.objects.update(declined_code="restricted_card")
    invoice = waiting_invoice(organization)
    assert paid(organization, method=card.public_id).status == "succeeded"
    assert is_charged(invoice)


def test_a_card_without_a_role_is_not_charged_by_itself_after_its_owner_paid_with_it(
    organization: Organization,
) -> None:
    factories.card(organization, GOOD)
    other = factories.card(organization, MASTERCARD)
    switch_on(organization)
    PaymentMethod.objects.update(declined_code="restricted_card")
    invoice = waiting_invoice(organization)
    assert paid(organization, method=other.public_id).status == "succeeded"
    sweep()
    assert (state(organization), Payment.objects.count()) == ("no_payment_method", 1)
    methods.change(other, {"is_backup": True})
    assert is_charged(invoice)


def test_the_card_of_auto_recharge_is_not_charged_for_an_invoice(organization: Organization) -> None:
    factories.card(organization, GOOD)
    own = factories.card(organization, MASTERCARD)
    switch_on(organization, payment_method=own.public_id)
    PaymentMethod.objects.update(declined_code="expired_card", exp_year=2020)
    waiting_invoice(organization)
    methods.observe(own.gateway_token, card_of(own), own.gateway, timezone.now())
    assert (state(organization), Payment.objects.count()) == ("charging", 0)


def test_a_card_of_the_first_release_is_charged_only_for_what_its_owner_agreed_to(organization: Organization) -> None:
    """Its consent was not kept, and the consent of auto-recharge covers nothing else."""
    factories.card(organization, GOOD)
    PaymentMethod.objects.update(consent="")
    switch_on(organization)
    invoice = issue(organization, 100)
    dunning.sweep(DECEMBER)
    assert (InvoiceState.objects.get(invoice=invoice).needs_card, Payment.objects.count()) == (True, 0)
    sweep()
    assert bought(organization) == [50]


@pytest.mark.parametrize(("code", "by"), [("customer_deleted", "user:1"), ("restricted_card", "auto_recharge")])
def test_what_stays_marked_when_a_payment_succeeds_late(organization: Organization, code: str, by: str) -> None:
    card = factories.card(organization, GOOD)
    payment = purchases.begin(organization, amount=Decimal(5), method=None, by=by)
    PaymentMethod.objects.update(declined_code=code)
    assert payments.complete(payment.pk).status == "succeeded"
    card.refresh_from_db()
    assert card.declined_code == code
