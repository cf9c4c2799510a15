"""tollgate-client against a live server."""

from decimal import Decimal

import pytest
from django.utils import timezone
from tollgate_client import Client, Refused, Unreachable

from accounts.models import Organization
from billing.ledger import posting
from billing.models import Hold
from tests import factories
from tests.clients.flaky import losing
from tests.usage.metering.batches import balance
from usage.models import UsageEvent


def test_a_key_is_verified(client: Client, customer: Organization) -> None:
    key, secret = factories.key(customer, permissions=["messaging:send"])
    verdict = client.verify(secret, permission="messaging:send", meter="sms", quantity=3)
    assert (verdict.valid, verdict.code, verdict.key_id) == (True, "VALID", key.public_id)
    assert (verdict.organization, verdict.cost, verdict.available) == (
        customer.public_id,
        Decimal("0.03"),
        Decimal(100),
    )


@pytest.mark.parametrize("quantity", ["1E+1", "10", "10.000000000"])
def test_a_decimal_is_sent_in_plain_digits(client: Client, customer: Organization, quantity: str) -> None:
    _, secret = factories.key(customer)
    assert client.verify(secret, meter="sms", quantity=Decimal(quantity)).cost == Decimal("0.1")


def test_many_keys_are_verified_at_once(client: Client, customer: Organization) -> None:
    _, secret = factories.key(customer)
    verdicts = client.verify_many([{"key": secret}, {"key": "sk_live_unknown"}])
    assert [verdict.code for verdict in verdicts] == ["VALID", "NOT_FOUND"]


def test_what_was_held_is_captured_by_its_event(client: Client, customer: Organization) -> None:
    key, secret = factories.key(customer)
    verdict = client.verify(secret, meter="voice", quantity=10, hold_seconds=60)
    assert posting.available(customer.pk, timezone.now()) == Decimal("99.8")
    event = {"id": "call-1", "key_id": key.public_id, "meter": "voice", "quantity": 4, "hold": verdict.hold}
    assert [result["result"] for result in client.send_usage([event])] == ["accepted"]
    assert posting.available(customer.pk, timezone.now()) == balance(customer) == Decimal("99.92")


def test_a_bad_platform_key_is_refused(address: str, committed: None) -> None:
    with pytest.raises(Refused) as refusal:
        Client(address, "sk_live_wrong").verify("sk_live_any")
    assert refusal.value.status == 401


def test_a_lost_answer_is_asked_for_again_and_holds_once(
    address: str, platform_secret: str, customer: Organization
) -> None:
    _, secret = factories.key(customer)
    with losing(address, answers=2) as lossy:
        verdict = Client(lossy, platform_secret).verify(secret, meter="voice", quantity=10, hold_seconds=60)
    assert [hold.public_id for hold in Hold.objects.of(customer)] == [verdict.hold]


def test_a_lost_answer_to_usage_counts_it_once(address: str, platform_secret: str, customer: Organization) -> None:
    event = {"id": "e-1", "organization": customer.public_id, "meter": "sms"}
    with losing(address, answers=1) as lossy:
        results = Client(lossy, platform_secret).send_usage([event])
    assert [result["result"] for result in results] == ["duplicate"]
    assert UsageEvent.objects.of(customer).count() == 1


def test_without_any_answer_it_says_so(committed: None) -> None:
    with pytest.raises(Unreachable):
        Client("http://127.0.0.1:9", "sk_live_any", retries=1).verify("sk_live_any")
