"""What happens to cards at Stripe and by themselves: renewed, removed, deleted with their customer, about to expire."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.models import Email, Event, Organization
from billing import tasks
from billing.models import GatewayCustomer, PaymentMethod
from billing.payments import cards, customers, gateways, methods, payments, saving_cards
from tests import factories
from tests.billing.payments.buying import begin, paid
from tests.billing.payments.gateway import FaultySandbox
from tests.stripe.process import StandIn


@pytest.fixture
def card(customer: Organization) -> PaymentMethod:
    return PaymentMethod.objects.of(customer).get()


def hear() -> None:
    tasks.poll_gateway_events()
    tasks.handle_gateway_events()


def data_of(organization: Organization, type: str) -> list[Any]:
    return [event.data for event in Event.objects.of(organization).filter(type=f"payment_method.{type}")]


def test_a_card_that_its_network_renewed_can_be_charged_again(
    card: PaymentMethod, customer: Organization, stand_in: StandIn
) -> None:
    PaymentMethod.objects.update(declined_code="expired_card", exp_year=2020)
    stand_in.update_card(card=card.gateway_token, exp_year=2045)
    for _ in range(2):
        hear()
    card.refresh_from_db()
    assert (card.exp_year, card.status_on(timezone.now().date())) == (2045, "usable")
    assert [event["exp_year"] for event in data_of(customer, "updated")] == [2045]


def test_a_card_that_was_lost_stays_declined(card: PaymentMethod, stand_in: StandIn) -> None:
    PaymentMethod.objects.update(declined_code="lost_card")
    stand_in.update_card(card=card.gateway_token, exp_year=2045, automatically=False)
    hear()
    card.refresh_from_db()
    assert (card.exp_year, card.declined_code) == (2045, "lost_card")


def test_a_card_that_was_removed_at_stripe_is_gone_here(
    card: PaymentMethod, customer: Organization, stand_in: StandIn
) -> None:
    other = factories.card(customer, "pm_card_mastercard")
    stand_in.detach(card=card.gateway_token)
    for _ in range(2):
        hear()
    other.refresh_from_db()
    assert (list(PaymentMethod.objects.of(customer)), other.is_default) == ([other], True)
    assert len(data_of(customer, "removed")) == 1


def test_a_deleted_customer_has_no_cards_and_the_next_card_has_a_new_customer(
    card: PaymentMethod, customer: Organization, stand_in: StandIn
) -> None:
    stand_in.delete_customer(customer=GatewayCustomer.objects.get().customer)
    payment = paid(customer)
    assert (payment.status, payment.failure_code) == ("failed", "resource_missing")
    card.refresh_from_db()
    assert card.declined_code == "customer_deleted"
    good = factories.card(customer, "pm_card_amex")
    hear()  # the event about the first one comes late
    good.refresh_from_db()
    assert good.declined_code == ""
    assert paid(customer, method=good.public_id).status == "succeeded"


def test_a_page_is_opened_though_the_customer_was_deleted(
    card: PaymentMethod, customer: Organization, stand_in: StandIn
) -> None:
    stand_in.delete_customer(customer=GatewayCustomer.objects.get().customer)
    assert saving_cards.begin_setup(customer, return_url="https://app.example/").url
    stand_in.delete_customer(customer=GatewayCustomer.objects.get().customer)
    assert payments.complete(begin(customer, checkout=True).pk).next_action_url


def test_a_customer_that_another_request_just_made_is_not_forgotten(
    organization: Organization, bank: FaultySandbox
) -> None:
    """Two requests see that the first customer is gone. One forgets it, and a card is saved with the next."""
    factories.card(organization)
    first = GatewayCustomer.objects.of(organization).get().customer
    customers.forget(bank, first)
    good = factories.card(organization, "pm_card_amex")
    customers.forget(bank, first)
    good.refresh_from_db()
    assert (good.declined_code, GatewayCustomer.objects.of(organization).exists()) == ("", True)


# Expiring


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo("UTC")) + timedelta(hours=12)


@pytest.mark.parametrize(
    ("day", "announced"), [("2040-12-01", 0), ("2040-12-02", 1), ("2040-12-31", 1), ("2041-01-01", 0)]
)
def test_its_owner_is_told_30_days_before_a_card_expires(organization: Organization, day: str, announced: int) -> None:
    factories.card(organization)
    assert cards.announce_expiring(noon(day)) == announced
    assert cards.announce_expiring(noon(day)) == 0
    assert (Email.objects.count(), len(data_of(organization, "expiring"))) == (announced, announced)


def test_cards_that_are_not_due_yet_do_not_keep_others_from_being_announced(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    for exp_month in (12, 11):
        card = factories.card(organization)
        PaymentMethod.objects.filter(pk=card.pk).update(exp_year=2040, exp_month=exp_month)
    monkeypatch.setattr(cards, "SWEEP_SIZE", 1)
    assert cards.announce_expiring(noon("2040-11-05")) == 1


def test_a_renewed_card_is_announced_again_and_a_removed_one_never(organization: Organization) -> None:
    card = factories.card(organization)
    cards.announce_expiring(noon("2040-12-10"))
    PaymentMethod.objects.update(exp_year=2043)
    assert cards.announce_expiring(noon("2040-12-10")) == 0
    assert cards.announce_expiring(noon("2043-12-10")) == 1
    PaymentMethod.objects.update(expiry_announced=None)
    methods.remove(card)
    assert cards.announce_expiring(noon("2043-12-10")) == 0


def test_what_becomes_of_a_card_is_data_of(organization: Organization) -> None:
    factories.card(organization)
    second = factories.card(organization, "pm_card_mastercard")
    methods.change(second, {"is_backup": True})
    methods.change(second, {"is_backup": True})
    assert [(event["is_default"], event["is_backup"]) for event in data_of(organization, "changed")] == [(False, True)]
    assert gateways.named("sandbox").card(second.gateway_token).customer
