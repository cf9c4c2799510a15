"""Paying in the browser: the billing account, cards, and one charge for one page that showed a total."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.lib import identifiers
from accounts.lib.problems import InvalidField
from accounts.models import Organization, User
from billing import accounts
from billing.exceptions import NoBillingAccount
from billing.ledger import posting
from billing.models import AutoRecharge, BillingAccount, LedgerEntry, Payment, PaymentMethod
from billing.payments import gateways, payments, purchases, saving_cards
from billing.payments.gateways.sandbox import visits
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
from tests.browser import at, messages_of, signed_in, text
from tests.concurrency import race

CONTACT = {"name": "Acme Inc.", "email": "Bills@Example.com", "country": "JP"}
DECLINED = "pm_card_chargeDeclinedInsufficientFunds"


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


def buy(browser: Client, organization: Organization, card: PaymentMethod, amount: str = "25", **fields: Any) -> Any:
    form = {"amount": amount, "method": card.pk, "payment": identifiers.uuid7(), **fields}
    return browser.post(at(organization, "credits/buy/"), form)


def amounts(organization: Organization) -> list[Decimal]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values_list("amount", flat=True))


def test_a_billing_account_is_made(browser: Client, organization: Organization) -> None:
    answer = browser.post(at(organization, "credits/account/"), CONTACT)
    assert answer["Location"] == at(organization, "credits/")
    made = accounts.required(organization)
    assert (made.name, made.email, made.country, made.currency) == ("Acme Inc.", "bills@example.com", "JP", "")


def test_a_second_billing_account_leaves_the_first(browser: Client, organization: Organization) -> None:
    first = factories.billing_account(organization)
    answer = browser.post(at(organization, "credits/account/"), CONTACT)
    assert messages_of(answer) == ["This organization already has a billing account."]
    assert BillingAccount.objects.of(organization).get().name == first.name


def test_a_wrong_country_makes_no_account(browser: Client, organization: Organization) -> None:
    answer = browser.post(at(organization, "credits/account/"), {**CONTACT, "country": "XX"})
    assert answer.status_code == 400
    assert "<title>Error: Credits" in text(answer)
    assert accounts.find(organization) is None


def test_a_sandbox_card_is_put_on_file(browser: Client, organization: Organization) -> None:
    factories.billing_account(organization)
    browser.post(at(organization, "credits/cards/"), {"gateway_token": "pm_card_amex"})
    assert PaymentMethod.objects.of(organization).get().brand == "amex"
    assert "Amex" in text(browser.get(at(organization, "credits/")))


def test_a_card_that_the_sandbox_does_not_know_is_refused(browser: Client, organization: Organization) -> None:
    factories.billing_account(organization)
    assert browser.post(at(organization, "credits/cards/"), {"gateway_token": "pm_other"}).status_code == 400
    assert not PaymentMethod.objects.of(organization).exists()


def test_a_card_needs_a_billing_account(browser: Client, organization: Organization) -> None:
    assert browser.post(at(organization, "credits/cards/"), {"gateway_token": "pm_card_visa"}).status_code == 409
    assert not PaymentMethod.objects.of(organization).exists()


@pytest.mark.parametrize("path", ["credits/auto-recharge/", "credits/warning/", "invoices/details/"])
def test_a_page_that_needs_a_billing_account_leads_to_the_form_that_makes_one(
    browser: Client, organization: Organization, path: str
) -> None:
    answer = browser.get(at(organization, path), follow=True)
    assert answer.redirect_chain == [(at(organization, "credits/"), 302)]
    assert "Create a billing account first." in text(answer)


def test_sandbox_cards_are_for_the_sandbox(browser: Client, organization: Organization, settings: Any) -> None:
    factories.billing_account(organization)
    settings.PAYMENT_GATEWAY = "stripe"
    assert browser.post(at(organization, "credits/cards/"), {"gateway_token": "pm_card_visa"}).status_code == 404
    assert "sandbox" not in text(browser.get(at(organization, "credits/")))


def test_the_total_stands_before_the_button(browser: Client, organization: Organization) -> None:
    factories.card(organization)
    page = text(browser.get(at(organization, "credits/buy/"), {"amount": "12.5"}))
    assert page.index("Total to pay") < page.index("Pay USD\u00a012.50</button>")
    assert not Payment.objects.exists()


@pytest.mark.parametrize("amount", ["", "abc", "0", "-5", "1.005", "1e1", "1_0", "1e30", "NaN", "9999999999"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_amount_goes_no_further(browser: Client, organization: Organization, method: str, amount: str) -> None:
    factories.card(organization)
    answer = getattr(browser, method)(at(organization, "credits/buy/"), {"amount": amount})
    assert answer.status_code == 400
    assert "errorlist" in text(answer)
    assert not Payment.objects.exists()


def test_without_a_card_credits_are_bought_on_the_gateways_page(browser: Client, organization: Organization) -> None:
    """Which saves the card."""
    factories.billing_account(organization)
    review = text(browser.get(at(organization, "credits/buy/"), {"amount": "5"}))
    assert ('name="checkout"' in review, 'type="radio"' in review) == (True, False)
    form = {"amount": "5", "payment": identifiers.uuid7(), "checkout": "1"}
    answer = browser.post(at(organization, "credits/buy/"), form)
    payment = Payment.objects.of(organization).get()
    assert payment.action_url in text(answer)
    visits.complete(payment.session, "pm_card_visa")
    browser.get(at(organization, f"payments/{payment.public_id}/"))
    assert amounts(organization) == [5]
    assert PaymentMethod.objects.of(organization).get().is_default


def test_credits_are_bought(browser: Client, alice: User, organization: Organization) -> None:
    answer = buy(browser, organization, factories.card(organization))
    assert answer["Location"] == at(organization, "credits/")
    assert messages_of(answer) == ["You bought 25 credits for USD\u00a025.00."]
    assert amounts(organization) == [25]
    assert Payment.objects.get().created_by == f"user:{alice.pk}"


def test_a_page_that_is_sent_twice_is_charged_once(browser: Client, organization: Organization) -> None:
    card, same = factories.card(organization), identifiers.uuid7()
    for _ in range(2):
        assert buy(browser, organization, card, payment=same)["Location"] == at(organization, "credits/")
    assert amounts(organization) == [25]


def test_each_page_with_a_total_is_a_payment_of_its_own(browser: Client, organization: Organization) -> None:
    factories.card(organization)
    pages = [text(browser.get(at(organization, "credits/buy/"), {"amount": "5"})) for _ in range(2)]
    ids = {page.partition('name="payment" value="')[2][:36] for page in pages}
    assert len(ids) == 2


def test_a_page_that_was_sent_already_does_not_pay_for_another_amount(
    browser: Client, organization: Organization
) -> None:
    card, same = factories.card(organization), identifiers.uuid7()
    buy(browser, organization, card, payment=same)
    answer = buy(browser, organization, card, "70", payment=same)
    assert messages_of(answer)[-1] == "This form was already used for another payment. Reload the page."
    assert amounts(organization) == [25]


def test_a_payment_of_another_organization_is_not_taken_up(
    browser: Client, organization: Organization, charlie: User
) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    foreign = purchases.begin(theirs, amount=Decimal(25), method=factories.card(theirs).public_id, by="charlie")
    answer = buy(browser, organization, factories.card(organization), payment=foreign.pk)
    assert "credits/buy/?amount=25" in answer["Location"]
    assert amounts(organization) == amounts(theirs) == []


def test_a_card_of_another_organization_pays_nothing(
    browser: Client, organization: Organization, charlie: User
) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    factories.card(organization)
    answer = buy(browser, organization, factories.card(theirs))
    assert messages_of(answer) == ["Choose one of the cards."]
    assert not Payment.objects.exists()


def test_a_card_that_is_removed_meanwhile_pays_nothing(
    browser: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **params: Any) -> None:
        raise InvalidField("payment_method", "There is no such payment method.")

    card = factories.card(organization)
    monkeypatch.setattr(purchases, "begin", refuse)
    assert messages_of(buy(browser, organization, card)) == ["Choose one of the cards."]
    assert not Payment.objects.exists()


def test_an_account_that_is_closed_meanwhile_pays_nothing(
    browser: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **params: Any) -> None:
        raise NoBillingAccount

    card = factories.card(organization)
    monkeypatch.setattr(purchases, "begin", refuse)
    assert messages_of(buy(browser, organization, card)) == ["Create a billing account first."]
    assert not Payment.objects.exists()


def test_a_decline_says_why_and_offers_another_card(browser: Client, organization: Organization) -> None:
    answer = buy(browser, organization, factories.card(organization, DECLINED))
    assert answer["Location"] == at(organization, "credits/buy/?amount=25")
    why = "Nothing was charged: there is not enough money on the card (Visa ending in 9995). Try another card."
    assert messages_of(answer) == [why]
    assert amounts(organization) == []


def test_a_gateway_that_does_not_answer_leaves_the_payment_in_progress(
    browser: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(self: Any, **params: Any) -> None:
        raise gateways.GatewayUnavailable

    card = factories.card(organization)
    monkeypatch.setattr("billing.payments.gateways.sandbox.SandboxGateway.create", silent)
    answer = buy(browser, organization, card)
    assert "being processed" in messages_of(answer)[0]
    assert "In progress" in text(browser.get(at(organization, "credits/")))
    assert amounts(organization) == []


@pytest.mark.parametrize(
    ("path", "form", "may"),
    [
        ("credits/account/", CONTACT, {"owner", "admin", "billing"}),
        ("credits/cards/", {"gateway_token": "pm_card_visa"}, {"owner", "billing"}),
        ("credits/buy/", {"amount": "5"}, {"owner", "billing"}),
    ],
)
@pytest.mark.parametrize("role", ["owner", "admin", "billing", "developer", "viewer"])
def test_only_those_whose_role_allows_it_pay(
    organization: Organization, role: str, path: str, form: dict[str, str], may: set[str]
) -> None:
    person = factories.user()
    factories.join(person, organization, role)
    answer = signed_in(person).post(at(organization, path), form)
    assert (answer.status_code == 403) == (role not in may)
    if role not in may:
        assert accounts.find(organization) is None
        assert f'action="{at(organization, path)}"' not in text(signed_in(person).get(at(organization, "credits/")))


def test_a_viewer_sees_neither_cards_nor_payments(bob: User, browser: Client, organization: Organization) -> None:
    buy(browser, organization, factories.card(organization))
    page = text(signed_in(bob).get(at(organization, "credits/")))
    assert "4242" not in page
    assert "Latest payments" not in page
    assert "Buy credits" not in page


def test_an_outsider_pays_nothing_here(charlie: User, organization: Organization) -> None:
    card = factories.card(organization)
    assert buy(signed_in(charlie), organization, card).status_code == 404
    assert not Payment.objects.exists()


def test_a_suspended_organization_may_still_pay_its_debt(browser: Client, organization: Organization) -> None:
    card = factories.card(organization)
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-5), now=timezone.now())
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert "is suspended" in text(browser.get(at(organization, "credits/")))
    assert browser.post(at(organization, "credits/account/"), CONTACT).status_code == 403
    buy(browser, organization, card)
    assert amounts(organization) == [-5, 25]
    buy(browser, organization, card)
    assert amounts(organization) == [-5, 25]


@pytest.mark.parametrize("path", ["credits/", "credits/ledger/"])
def test_a_child_is_told_that_its_root_pays(browser: Client, organization: Organization, path: str) -> None:
    child = people.add_child(organization, name="Lab")
    answer = browser.get(at(child, path))
    assert answer.status_code == 200
    assert "has no billing account of its own" in text(answer)


@pytest.mark.parametrize("path", ["credits/account/", "credits/cards/", "credits/buy/"])
def test_a_child_can_not_pay(browser: Client, organization: Organization, path: str) -> None:
    child = people.add_child(organization, name="Lab")
    form = {**CONTACT, "gateway_token": "pm_card_visa", "amount": "5"}
    assert browser.post(at(child, path), form).status_code == 403
    assert not BillingAccount.objects.exists()


def test_yen_are_offered_in_amounts_that_people_pay(browser: Client, organization: Organization) -> None:
    factories.billing_account(organization, country="JP")
    saving_cards.add(organization, "pm_card_visa")
    page = text(browser.get(at(organization, "credits/")))
    assert "JPY\u00a01,000" in page
    assert "JPY\u00a010<" not in page


@pytest.mark.usefixtures("committed")
def test_the_same_page_sent_by_ten_at_once_is_one_payment() -> None:
    organization = factories.organization()
    card, same = factories.card(organization), identifiers.uuid7()

    def pay() -> Payment:
        begun = purchases.begin(organization, amount=Decimal(25), method=card.public_id, by="alice", id=same)
        return payments.complete(begun.pk)

    results = race([pay] * 10)
    assert {result.status for result in results} == {"succeeded"}
    assert amounts(organization) == [25]


# The page of a payment, and the gateway's pages


def test_a_payment_is_authenticated_at_the_bank_and_comes_back(browser: Client, organization: Organization) -> None:
    answer = buy(browser, organization, factories.card_on_page(organization, "pm_card_authenticationRequired"))
    assert "wants you to confirm" in messages_of(answer)[0]
    page = at(organization, f"payments/{Payment.objects.get().public_id}/")
    assert "Confirm at the bank" in text(browser.get(page))
    leaving = text(browser.post(page))
    bank = leaving.partition('class="button" href="')[2].partition('"')[0]
    visits.authenticate(bank.rstrip("/").rpartition("/")[2], succeeded=True)
    back = browser.get(page)
    assert back["Location"] == at(organization, "credits/")
    assert messages_of(back)[-1] == "You bought 25 credits for USD\u00a025.00."
    assert amounts(organization) == [25]


def test_a_payment_that_waits_can_be_canceled(browser: Client, organization: Organization) -> None:
    buy(browser, organization, factories.card_on_page(organization, "pm_card_authenticationRequired"))
    page = at(organization, f"payments/{Payment.objects.get().public_id}/")
    answer = browser.post(page, {"cancel": "yes"})
    assert answer["Location"] == at(organization, "credits/")
    assert messages_of(answer)[-1] == "The payment was canceled. Nothing was charged."
    assert Payment.objects.get().status == "failed"
    assert amounts(organization) == []
    assert messages_of(browser.get(page))[-1] == "The payment was canceled. Nothing was charged."


def test_canceling_what_was_paid_meanwhile_says_so(
    browser: Client, organization: Organization, bank: FaultySandbox
) -> None:
    bank.after["confirm"] = unavailable
    buy(browser, organization, factories.card(organization))
    page = at(organization, f"payments/{Payment.objects.get().public_id}/")
    answer = browser.post(page, {"cancel": "yes"})
    assert messages_of(answer)[-1] == "You bought 25 credits for USD\u00a025.00."
    assert amounts(organization) == [25]


def test_a_card_is_added_on_the_gateways_page(browser: Client, organization: Organization) -> None:
    factories.billing_account(organization)
    leaving = text(browser.post(at(organization, "credits/cards/page/")))
    session = leaving.partition('class="button" href="')[2].partition('"')[0].rstrip("/").rpartition("/")[2]
    back = visits.complete(session, "pm_card_amex")
    assert isinstance(back, str)
    answer = browser.get(back.removeprefix("http://127.0.0.1:8000"))
    assert messages_of(answer) == ["The card was added: Amex ending in 8431."]


def test_auto_recharge_is_switched_on_with_a_sentence(browser: Client, organization: Organization) -> None:
    factories.card(organization)
    page = at(organization, "credits/auto-recharge/")
    assert "Auto-recharge is off." in text(browser.get(page))
    wrong = browser.post(page, {"enabled": "on", "threshold": "20"})
    assert (wrong.status_code, "either an amount or a target" in text(wrong)) == (400, True)
    answer = browser.post(page, {"enabled": "on", "threshold": "20", "amount": "50"})
    assert answer["Location"] == at(organization, "credits/")
    assert messages_of(answer) == ["When less than 20 credits are left, credits are bought."]
    assert amounts(organization) == [50]
    assert 'value="50"' in text(browser.get(page))


def test_the_card_of_auto_recharge_is_chosen_on_the_page(
    browser: Client, api: Any, alice: User, organization: Organization
) -> None:
    factories.card(organization)
    chosen = factories.card(organization, "pm_card_mastercard")
    settings = {"enabled": True, "threshold": 20, "amount": 50}
    api(alice).put("/v1/credits/auto-recharge", {**settings, "payment_method": chosen.public_id})
    page = at(organization, "credits/auto-recharge/")
    assert f'value="{chosen.public_id}" selected' in text(browser.get(page))
    form = {"enabled": "on", "threshold": "10", "amount": "50"}
    browser.post(page, {**form, "payment_method": chosen.public_id})
    kept = AutoRecharge.objects.get()
    assert (kept.threshold, kept.payment_method) == (10, chosen)
    assert browser.post(page, {**form, "payment_method": "pm_x"}).status_code == 400
    browser.post(page, {**form, "payment_method": ""})
    assert AutoRecharge.objects.get().payment_method is None


def test_what_went_back_of_a_payment_is_shown(browser: Client, organization: Organization) -> None:
    card = factories.card(organization)
    for back in ({}, {"refunded": 5}, {"refunded": 25}, {"disputed": 25}):
        payment = purchases.begin(organization, amount=Decimal(25), method=card.public_id, by="test")
        Payment.objects.filter(pk=payments.complete(payment.pk).pk).update(**back)
    page = text(browser.get(at(organization, "credits/")))
    for label in ("Paid", "Partly refunded", "Refunded", "Disputed"):
        assert page.count(f"</svg>{label}") == 1


@pytest.mark.parametrize("path", ["payments/pay_x/", f"payments/pay_{'0' * 32}/", "credits/cards/page/?session=cs_x"])
def test_nobody_elses_pages_are_found(browser: Client, organization: Organization, path: str) -> None:
    factories.billing_account(organization)
    assert browser.get(at(organization, path)).status_code == 404


def test_who_may_only_read_gets_sentences_and_no_form(bob: User, organization: Organization) -> None:
    factories.billing_account(organization)
    for path, sentence in (("auto-recharge", "Nothing is bought automatically."), ("warning", "No warning is set.")):
        page = text(signed_in(bob).get(at(organization, f"credits/{path}/")))
        assert (sentence in page, 'class="panel form"' in page) == (True, False)
