"""Reading one card, making one the default, removing one."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.ledger import posting
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import methods, payments
from tests import factories
from tests.concurrency import race

CARDS = "/v1/payment-methods"


@pytest.fixture
def first(organization: Any) -> PaymentMethod:
    """The default."""
    return factories.card(organization)


@pytest.fixture
def second(organization: Any, first: PaymentMethod) -> PaymentMethod:
    return factories.card(organization, "pm_card_mastercard")


def default(organization: Any) -> list[PaymentMethod]:
    return list(PaymentMethod.objects.of(organization).filter(is_default=True))


def test_one_card_is_read_by_its_id(alice: Any, api: Any, first: PaymentMethod) -> None:
    shown = api(alice).get(f"{CARDS}/{first.public_id}").json()
    assert set(shown) == {"id", "brand", "last4", "exp_month", "exp_year", "is_default"}
    assert (shown["id"], shown["is_default"]) == (first.public_id, True)


def test_another_card_becomes_the_default_one(alice: Any, api: Any, organization: Any, second: PaymentMethod) -> None:
    answer = api(alice).patch(f"{CARDS}/{second.public_id}", {"is_default": True})
    assert (answer.status_code, answer.json()["is_default"]) == (200, True)
    assert default(organization) == [second]


@pytest.mark.parametrize("body", [{"is_default": False}, {}, {"is_default": None}, {"last4": "0000"}])
def test_a_card_is_not_just_no_longer_the_default(
    alice: Any, api: Any, organization: Any, first: PaymentMethod, body: Any
) -> None:
    answer = api(alice).patch(f"{CARDS}/{first.public_id}", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/is_default")
    assert default(organization) == [first]


def test_a_removed_card_is_gone_from_the_list_and_takes_no_payment(
    alice: Any, api: Any, organization: Any, first: PaymentMethod
) -> None:
    assert api(alice).delete(f"{CARDS}/{first.public_id}").status_code == 204
    assert api(alice).get(CARDS).json()["results"] == []
    assert api(alice).get(f"{CARDS}/{first.public_id}").status_code == 404
    body = {"amount": 5, "payment_method": first.public_id}
    assert api(alice).post("/v1/credits/purchases", body).status_code == 400
    assert not Payment.objects.of(organization).exists()


def test_a_second_delete_is_a_404(alice: Any, api: Any, first: PaymentMethod) -> None:
    api(alice).delete(f"{CARDS}/{first.public_id}")
    assert api(alice).delete(f"{CARDS}/{first.public_id}").status_code == 404


def test_when_the_default_is_removed_the_newest_of_the_others_takes_its_place(
    alice: Any, api: Any, organization: Any, first: PaymentMethod, second: PaymentMethod
) -> None:
    third = factories.card(organization, "pm_card_amex")
    api(alice).delete(f"{CARDS}/{first.public_id}")
    assert default(organization) == [third]


def test_when_another_is_removed_the_default_stays(
    alice: Any, api: Any, organization: Any, first: PaymentMethod, second: PaymentMethod
) -> None:
    api(alice).delete(f"{CARDS}/{second.public_id}")
    assert default(organization) == [first]


def test_the_payments_of_a_removed_card_stay_and_one_under_way_goes_on(
    alice: Any, api: Any, organization: Any, first: PaymentMethod
) -> None:
    pending = payments.begin(organization, amount=Decimal(5), method=None, by="test")
    api(alice).delete(f"{CARDS}/{first.public_id}")
    assert payments.complete(pending.pk).status == "succeeded"


def test_auto_recharge_forgets_a_removed_card(alice: Any, api: Any, organization: Any, first: PaymentMethod) -> None:
    AutoRecharge.objects.create(organization=organization, payment_method=first)
    api(alice).delete(f"{CARDS}/{first.public_id}")
    assert AutoRecharge.objects.of(organization).get().payment_method is None


@pytest.mark.parametrize("verb", ["patch", "delete"])
def test_a_viewer_changes_no_card(bob: Any, api: Any, organization: Any, second: PaymentMethod, verb: str) -> None:
    assert getattr(api(bob), verb)(f"{CARDS}/{second.public_id}", {"is_default": True}).status_code == 403
    assert PaymentMethod.objects.of(organization).count() == 2
    assert second not in default(organization)


@pytest.mark.parametrize("verb", ["get", "patch", "delete"])
def test_a_stranger_gets_the_404_of_an_unknown_card(
    charlie: Any, api: Any, organization: Any, first: PaymentMethod, verb: str
) -> None:
    call = getattr(api(charlie), verb)
    answers = [call(f"{CARDS}/{id_}", {"is_default": True}) for id_ in (first.public_id, f"pm_{'0' * 32}", "pm_none")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert default(organization) == [first]


def test_the_database_keeps_a_removed_card_from_being_the_default(first: PaymentMethod) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentMethod.objects.filter(pk=first.pk).update(removed_at=timezone.now())


# Races


@pytest.fixture
def three(committed: None) -> list[PaymentMethod]:
    person = factories.user()
    tokens = ("pm_card_visa", "pm_card_mastercard", "pm_card_amex")
    return [factories.card(person.current_organization, token) for token in tokens]  # type: ignore[arg-type]


def test_of_cards_that_are_made_default_at_once_one_is(three: list[PaymentMethod]) -> None:
    results = race([lambda card=card: methods.make_default(card) for card in three[1:] * 5])  # type: ignore[misc]
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(default(three[0].organization)) == 1


def test_a_card_that_is_removed_while_it_is_made_default_is_not_left_so(three: list[PaymentMethod]) -> None:
    race([lambda: methods.make_default(three[1]), lambda: methods.remove(three[1]), lambda: methods.remove(three[0])])
    assert default(three[0].organization) == [three[2]]


def test_without_the_lock_some_would_fail(three: list[PaymentMethod], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the tests above: the database alone refuses two defaults, or finds a deadlock."""
    monkeypatch.setattr(posting, "lock", lambda accounts: None)
    failed: list[Any] = []
    for _ in range(10):
        results = race([lambda card=card: methods.make_default(card) for card in three * 5])  # type: ignore[misc]
        failed += [result for result in results if isinstance(result, Exception)]
        if failed:
            break
    assert failed
