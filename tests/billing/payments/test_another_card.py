"""What waits for another card, and which card is another one: the fingerprint says so, and not the row."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from accounts.models import Organization
from billing.invoicing import dunning
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import methods, payments
from tests import factories
from tests.billing.invoicing.drafts import DECEMBER, issue
from tests.billing.payments.buying import paid
from tests.billing.payments.recharging import DECLINED, bought, state, sweep, switch_on

LOST, GOOD = "pm_card_chargeDeclinedLostCard", "pm_card_visa"


def pause(organization: Organization, token: str) -> PaymentMethod:
    """Its default card is declined until auto-recharge is paused. Returns the card."""
    card = factories.card(organization, token)
    switch_on(organization)
    for hours in (0, 1.1, 7.2):
        sweep(hours=hours)
        AutoRecharge.objects.update(next_attempt_at=None)
    assert AutoRecharge.objects.get().paused == "declined"
    return card


@pytest.fixture
def paused(organization: Organization) -> PaymentMethod:
    return pause(organization, DECLINED)


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
    methods.make_default(tried)
    switch_on(organization)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    if how == "removed":
        methods.remove(tried)
    elif how == "chosen":
        switch_on(organization, payment_method=other.public_id)
    else:
        methods.change(other, {f"is_{how}": True})
    assert state(organization) == "charging"


@pytest.mark.parametrize("how", ["default", "chosen"])
def test_the_card_that_was_tried_does_not(organization: Organization, paused: PaymentMethod, how: str) -> None:
    factories.card(organization, GOOD)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    if how == "default":
        PaymentMethod.objects.filter(pk=paused.pk).update(is_default=False)
        methods.make_default(paused)
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
    methods.make_default(factories.card(organization, LOST))
    invoice = issue(organization, 100)
    dunning.sweep(DECEMBER)
    assert (invoice.state.status, Payment.objects.get().status) == ("open", "failed")
    methods.make_default(other)
    payments.sweep(datetime.now(UTC))
    invoice.state.refresh_from_db()
    assert invoice.state.status == "paid"
