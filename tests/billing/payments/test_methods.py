"""Reading one card, making one the default, removing one."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.lib.problems import NotFound
from accounts.models import Organization
from billing.exceptions import GatewayNotAvailable
from billing.ledger import posting
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import gateways, methods, payments, purchases, saving_cards
from billing.payments.gateways.sandbox import visits
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
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
    assert shown == {
        "id": first.public_id,
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2040,
        "status": "usable",
        "is_default": True,
        "is_backup": False,
    }


def test_another_card_becomes_the_default_one(alice: Any, api: Any, organization: Any, second: PaymentMethod) -> None:
    answer = api(alice).patch(f"{CARDS}/{second.public_id}", {"is_default": True})
    assert (answer.status_code, answer.json()["is_default"]) == (200, True)
    assert default(organization) == [second]


@pytest.mark.parametrize("body", [{"is_default": False}, {}, {"is_default": None}])
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
    pending = purchases.begin(organization, amount=Decimal(5), method=None, by="test")
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
    call, body = getattr(api(charlie), verb), {"is_default": True} if verb == "patch" else None
    answers = [call(f"{CARDS}/{id_}", body) for id_ in (first.public_id, f"pm_{'0' * 32}", "pm_none")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert default(organization) == [first]


def test_the_database_keeps_a_removed_card_from_being_the_default(first: PaymentMethod) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentMethod.objects.filter(pk=first.pk).update(removed_at=timezone.now())


# The backup, and what a card is good for


def backups(organization: Any) -> list[PaymentMethod]:
    return list(PaymentMethod.objects.of(organization).filter(is_backup=True))


def test_one_card_is_the_backup(alice: Any, api: Any, organization: Any, second: PaymentMethod) -> None:
    third = factories.card(organization, "pm_card_amex")
    for card in (second, third):
        answer = api(alice).patch(f"{CARDS}/{card.public_id}", {"is_backup": True})
        assert (answer.status_code, answer.json()["is_backup"]) == (200, True)
        assert backups(organization) == [card]
    api(alice).patch(f"{CARDS}/{third.public_id}", {"is_backup": False})
    assert backups(organization) == []


def test_the_default_is_no_backup(alice: Any, api: Any, organization: Any, first: PaymentMethod) -> None:
    answer = api(alice).patch(f"{CARDS}/{first.public_id}", {"is_backup": True})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/is_backup")
    assert backups(organization) == []


def test_a_backup_that_becomes_the_default_is_the_backup_no_longer(
    alice: Any, api: Any, organization: Any, second: PaymentMethod
) -> None:
    api(alice).patch(f"{CARDS}/{second.public_id}", {"is_backup": True})
    api(alice).patch(f"{CARDS}/{second.public_id}", {"is_default": True})
    assert (default(organization), backups(organization)) == ([second], [])


@pytest.mark.parametrize(
    ("day", "status"),
    [("2040-11-30", "usable"), ("2040-12-02", "expiring"), ("2040-12-31", "expiring"), ("2041-01-01", "expired")],
)
def test_a_card_is_good_to_the_last_day_of_its_month(
    alice: Any, api: Any, first: PaymentMethod, day: str, status: str
) -> None:
    client = api(alice)
    assert first.status_on(date.fromisoformat(day)) == status
    assert client.get(f"{CARDS}/{first.public_id}").json()["status"] == "usable"


def test_a_card_that_its_bank_declined_for_good_says_so(alice: Any, api: Any, organization: Any) -> None:
    card = factories.card(organization, "pm_card_chargeDeclinedLostCard")
    assert api(alice).post("/v1/credits/purchases", {"amount": 5}).status_code == 402
    assert api(alice).get(f"{CARDS}/{card.public_id}").json()["status"] == "declined"


def test_a_removed_card_is_gone_at_the_gateway_too(alice: Any, api: Any, first: PaymentMethod) -> None:
    gateway = gateways.named(first.gateway)
    assert gateway.card(first.gateway_token).customer
    api(alice).delete(f"{CARDS}/{first.public_id}")
    assert gateway.card(first.gateway_token).customer == ""


# The gateway's own page


def test_a_card_is_saved_on_the_gateways_page(alice: Any, api: Any, organization: Any) -> None:
    factories.billing_account(organization)
    page = api(alice).post(f"{CARDS}/setup", {"return_url": "https://app.example/back?a=1"}).json()
    assert set(page) == {"id", "url", "expires_at"}
    assert saving_cards.finish_setup(organization, page["id"]) is None
    back = visits.complete(page["id"], "pm_card_authenticationRequired")
    assert back == f"https://app.example/back?a=1&session={page['id']}"
    card = saving_cards.finish_setup(organization, page["id"])
    assert card == saving_cards.finish_setup(organization, page["id"])
    assert default(organization) == [card]
    assert card
    assert (card.consent, card.consent_by) == (saving_cards.CONSENT, f"user:{alice.pk}")


def test_another_organizations_page_saves_nothing(organization: Any, charlie: Any) -> None:
    factories.billing_account(organization)
    theirs = charlie.current_organization
    factories.card(theirs)
    session = saving_cards.begin_setup(theirs, return_url="https://app.example/")
    visits.complete(session.id, "pm_card_visa")
    for id_ in (session.id, "cs_nothing"):
        with pytest.raises(NotFound):
            saving_cards.finish_setup(organization, id_)
    assert not PaymentMethod.objects.of(organization).exists()


def test_while_the_gateway_does_not_answer_coming_back_from_its_page_is_no_error(
    organization: Organization, bank: FaultySandbox
) -> None:
    factories.billing_account(organization)
    bank.before["session"] = unavailable
    with pytest.raises(GatewayNotAvailable):
        saving_cards.finish_setup(organization, "cs_1")


def test_a_token_that_needs_an_authentication_names_the_banks_page(alice: Any, api: Any, organization: Any) -> None:
    factories.billing_account(organization)
    answer = api(alice).post(CARDS, {"gateway_token": "pm_card_authenticationRequired"})
    assert (answer.status_code, answer.json()["code"]) == (409, "authentication_required")
    assert answer.json()["next_action_url"].startswith("http")
    assert not PaymentMethod.objects.of(organization).exists()


# Races


@pytest.fixture
def three(committed: None) -> list[PaymentMethod]:
    person = factories.user()
    tokens = ("pm_card_visa", "pm_card_mastercard", "pm_card_amex")
    return [factories.card(person.current_organization, token) for token in tokens]  # type: ignore[arg-type]


def test_of_cards_that_are_made_default_at_once_one_is(three: list[PaymentMethod]) -> None:
    results = race([lambda card=card: methods.change(card, {"is_default": True}) for card in three[1:] * 5])  # type: ignore[misc]
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(default(three[0].organization)) == 1


def test_a_card_that_is_removed_while_it_is_made_default_is_not_left_so(three: list[PaymentMethod]) -> None:
    race(
        [
            lambda: methods.change(three[1], {"is_default": True}),
            lambda: methods.remove(three[1]),
            lambda: methods.remove(three[0]),
        ]
    )
    assert default(three[0].organization) == [three[2]]


def test_without_the_lock_some_would_fail(three: list[PaymentMethod], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the tests above: the database alone refuses two defaults, or finds a deadlock."""
    monkeypatch.setattr(posting, "lock", lambda *arguments: None)
    failed: list[Any] = []
    for _ in range(10):
        results = race([lambda card=card: methods.change(card, {"is_default": True}) for card in three * 5])  # type: ignore[misc]
        failed += [result for result in results if isinstance(result, Exception)]
        if failed:
            break
    assert failed
