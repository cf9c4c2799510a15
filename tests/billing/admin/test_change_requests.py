"""Operators make requests and see the figures before and after. Beyond their limit, a second person decides."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.models import Event, Organization
from billing.change_requests import ACTIONS, deciding
from billing.ledger import posting
from billing.models import ChangeRequest, EndpointPrice, LedgerAccount, LedgerEntry, Meter, Price, Refund
from billing.payments import payments, purchases
from tests import factories
from tests.billing.admin.desk import (
    NOTE,
    REASON,
    address,
    ask,
    browser_of,
    confirm,
    decide,
    fields,
    preview,
    seen,
    staff,
)
from tests.browser import signed_in, text


def balance(organization: Organization) -> Any:
    return LedgerAccount.objects.get(pk=organization.pk).balance


def events_of(organization: Organization) -> list[str]:
    return list(Event.objects.of(organization).order_by("pk").values_list("type", flat=True))


@pytest.fixture
def finance(db: None) -> Client:
    return browser_of()


def test_the_preview_shows_both_balances_and_what_the_customer_reads_and_changes_nothing(
    finance: Client, funded: Organization
) -> None:
    factories.billing_account(funded, country="DE")
    page = text(preview(finance, "adjust", funded.public_id, fields(amount="-1.5")))
    for words in ("EUR\u00a0100.00", "EUR\u00a098.50", f"Adjustment, −1.5: “{REASON}”", f"ledger.adjusted: “{REASON}”"):
        assert words in page
    assert NOTE not in page.partition("What the customer will read")[2].partition("Only operators read")[0]
    assert balance(funded) == 100
    assert not ChangeRequest.objects.exists()
    assert "ledger.adjusted" not in events_of(funded)


def test_the_amounts_of_a_preview_have_the_same_decimals(finance: Client, funded: Organization) -> None:
    factories.billing_account(funded, country="DE")
    page = text(preview(finance, "adjust", funded.public_id, fields(amount="-0.125")))
    for words in ("EUR\u00a0100.000", "EUR\u00a099.875", "EUR\u00a00.000"):
        assert words in page
    finance.cookies["language"] = "de"
    german = text(preview(finance, "adjust", funded.public_id, fields(amount="-0,125")))
    for words in ("<h2>Vorher und nachher</h2>", "Saldo", "EUR\u00a099,875"):
        assert words in german


def test_what_is_confirmed_is_done_once_and_the_customer_reads_the_reason_only(
    finance: Client, funded: Organization
) -> None:
    body = fields(amount="-1.5")
    token = seen(preview(finance, "adjust", funded.public_id, body))
    for _ in range(2):
        confirm(finance, "adjust", funded.public_id, body, token)
    assert balance(funded) == Decimal("98.5")
    request = ChangeRequest.objects.get()
    assert (request.state, request.needs_approval, request.decided_by) == ("done", False, None)
    actor = f"user:{request.requested_by_id}"
    entry = LedgerEntry.objects.get(account=funded.pk, seq=2)
    assert (entry.description, entry.actor) == (REASON, actor)
    event = Event.objects.of(funded).get(type="ledger.adjusted")
    assert (event.data["reason"], event.actor) == (REASON, {"kind": "operator", "id": actor})
    assert NOTE not in str(list(Event.objects.values_list("data", flat=True)))
    assert REASON in LogEntry.objects.earliest("pk").get_change_message()


def test_without_a_preview_nothing_is_done(finance: Client, funded: Organization) -> None:
    """Neither with a token of another request."""
    other = seen(preview(finance, "adjust", funded.public_id, fields(amount="-1")))
    for token in ("", "x", other):
        confirm(finance, "adjust", funded.public_id, fields(amount="-2"), token)
    assert balance(funded) == 100
    assert not ChangeRequest.objects.exists()


BAD: list[tuple[str, dict[str, str]]] = [
    *(("adjust", {"amount": amount}) for amount in ("0", "x", "1e1", "NaN", "")),
    ("adjust", {"amount": "1", "expires_at": "2001-01-01"}),
    ("adjust", {"amount": "-1", "expires_at": "2999-01-01"}),  # the verb refuses
    ("adjust", {"amount": "1", "reason": "x"}),
    ("adjust", {"amount": "1", "form_id": "x"}),
    ("grant", {"amount": "-1"}),
    ("credit_limit", {"credit_limit": "-1"}),
    ("suspend", {"reason": ""}),
]


def test_bad_values_are_shown_and_nothing_changes(finance: Client, funded: Organization) -> None:
    for kind, typed in BAD:
        body = fields(**{"category": "paid", "priority": "50", **typed})
        page = preview(finance, kind, funded.public_id, body).content.decode()
        assert "errorlist" in page or "errornote" in page, (kind, typed)
        assert 'name="seen"' not in page, (kind, typed)
    assert (balance(funded), ChangeRequest.objects.count()) == (100, 0)


def test_above_the_limit_it_waits_for_someone_else(finance: Client, funded: Organization) -> None:
    page = ask(finance, "adjust", funded.public_id, amount="900000000")
    assert "waits for someone else" in text(page)
    request = ChangeRequest.objects.get()
    assert (request.state, balance(funded)) == ("waiting", 100)
    assert decide(finance, request, "approve").status_code == 200
    request.refresh_from_db()
    assert (request.state, balance(funded)) == ("waiting", 100)
    second = staff()
    decide(signed_in(second), request, "approve")
    request.refresh_from_db()
    assert (request.state, request.decided_by, balance(funded)) == ("done", second, 900_000_100)
    assert LedgerEntry.objects.get(account=funded.pk, seq=2).actor == f"user:{request.requested_by_id}"
    assert events_of(funded)[-1] == "ledger.adjusted"


def test_many_small_ones_need_a_second_person_too(finance: Client, funded: Organization) -> None:
    """Also for several customers: the limit is that of a person and a day."""
    other = factories.user("other").current_organization
    assert other is not None
    ask(finance, "grant", funded.public_id, amount="60", category="promotional", priority="50")
    ask(finance, "grant", other.public_id, amount="40", category="promotional", priority="50")
    ask(finance, "grant", other.public_id, amount="0.01", category="promotional", priority="50")
    assert list(ChangeRequest.objects.order_by("pk").values_list("state", flat=True)) == ["done", "done", "waiting"]


@pytest.mark.parametrize(("limit", "state"), [(None, "done"), (Decimal(0), "waiting"), (Decimal(1000), "done")])
def test_the_limit_is_a_setting(
    finance: Client, funded: Organization, settings: Any, limit: Decimal | None, state: str
) -> None:
    settings.OPERATOR_APPROVAL_LIMIT = limit
    ask(finance, "credit_limit", funded.public_id, credit_limit="1000")
    assert ChangeRequest.objects.get().state == state


def test_nobody_approves_their_own_request_not_even_around_the_page(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    request = ChangeRequest.objects.get()
    with pytest.raises(deciding.OwnRequest):
        deciding.approve(request.pk, seen="", by=request.requested_by, now=timezone.now())
    done = {"state": "done", "decided_at": timezone.now()}
    for decided_by in (request.requested_by_id, None):
        with pytest.raises(DatabaseError), transaction.atomic():
            ChangeRequest.objects.filter(pk=request.pk).update(decided_by=decided_by, **done)


def test_what_was_asked_and_what_was_decided_can_not_be_changed(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    ask(finance, "adjust", funded.public_id, amount="5")
    waiting, done = ChangeRequest.objects.order_by("pk")
    rows = ChangeRequest.objects.all()
    changes: list[dict[str, Any]] = [{"amount": 1}, {"reason": "Another reason"}, {"params": {}}]
    for change in (*changes, {"needs_approval": False}):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.filter(pk=waiting.pk).update(**change)
    for query in (rows.filter(pk=done.pk), rows.filter(pk=waiting.pk)):
        with pytest.raises(DatabaseError), transaction.atomic():
            query.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.filter(pk=done.pk).update(state="declined")


def test_it_is_decided_once(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    request, second = ChangeRequest.objects.get(), browser_of()
    page = second.get(f"/admin/billing/changerequest/{request.pk}/change/")
    decide(browser_of(), request, "decline")
    answer = second.post(
        f"/admin/billing/changerequest/{request.pk}/decide/", {"approve": "", "seen": seen(page)}, follow=True
    )
    assert "decided already" in text(answer)
    request.refresh_from_db()
    assert (request.state, balance(funded)) == ("declined", 100)


def test_who_asked_takes_it_back(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    request = ChangeRequest.objects.get()
    decide(finance, request, "decline")
    request.refresh_from_db()
    assert (request.state, request.decided_by) == ("declined", request.requested_by)


def test_it_expires(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    ask(finance, "adjust", funded.public_id, amount="501")
    swept, late = ChangeRequest.objects.order_by("pk")
    week = timezone.now() + timedelta(days=7, seconds=1)
    row = deciding.approve(late.pk, seen="", by=staff(), now=week)
    assert (row.state, row.decided_by) == ("expired", None)
    assert deciding.expire(week) == 1
    swept.refresh_from_db()
    assert (swept.state, balance(funded)) == ("expired", 100)


def test_a_preview_is_stale_once_the_balance_changed(finance: Client, funded: Organization) -> None:
    body = fields(amount="5")
    token = seen(preview(finance, "adjust", funded.public_id, body))
    factories.credit(funded, 1)
    page = confirm(finance, "adjust", funded.public_id, body, token)
    assert "Something has changed" in text(page)
    assert "106" in text(page)  # the figures are shown again
    assert balance(funded) == 101
    confirm(finance, "adjust", funded.public_id, body, seen(page))
    assert balance(funded) == 106


def test_usage_alone_makes_a_preview_stale_only_if_it_leads_into_debt(finance: Client, funded: Organization) -> None:
    """Otherwise nobody could adjust the balance of a customer who is busy."""

    def use(amount: int) -> None:
        posting.post(funded.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-amount), now=timezone.now())

    body = fields(amount="-5")
    token = seen(preview(finance, "adjust", funded.public_id, body))
    use(10)
    confirm(finance, "adjust", funded.public_id, body, token)
    assert balance(funded) == 85
    body = fields(amount="-6")
    token = seen(preview(finance, "adjust", funded.public_id, body))
    use(84)
    confirm(finance, "adjust", funded.public_id, body, token)
    assert balance(funded) == 1


def test_an_approval_is_of_what_the_second_person_saw(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    request, second = ChangeRequest.objects.get(), browser_of()
    page = second.get(f"/admin/billing/changerequest/{request.pk}/change/")
    factories.credit(funded, 1)
    body = {"approve": "", "seen": seen(page)}
    answer = second.post(f"/admin/billing/changerequest/{request.pk}/decide/", body, follow=True)
    assert "Something has changed" in text(answer)
    assert balance(funded) == 101


def test_a_request_whose_verb_refuses_goes_on_waiting(finance: Client, funded: Organization, settings: Any) -> None:
    settings.OPERATOR_APPROVAL_LIMIT = Decimal(0)
    ask(finance, "reverse", f"{funded.public_id}.1")
    ask(browser_of(), "reverse", f"{funded.public_id}.1")
    first, second = ChangeRequest.objects.order_by("pk")
    decide(browser_of(), first, "approve")
    page = decide(browser_of(), second, "approve")
    assert "already reversed" in text(page)
    second.refresh_from_db()
    assert (second.state, balance(funded)) == ("waiting", 0)


def test_a_grant_and_a_credit_limit(finance: Client, funded: Organization) -> None:
    ask(finance, "grant", funded.public_id, amount="10", category="promotional", priority="7")
    ask(finance, "credit_limit", funded.public_id, credit_limit="50.5")
    account = LedgerAccount.objects.get(pk=funded.pk)
    assert (account.balance, account.credit_limit) == (110, Decimal("50.5"))
    grant = account.grants.get(entry_seq=2)
    assert (grant.category, grant.priority) == ("promotional", 7)
    granted, limited = Event.objects.of(funded).order_by("pk")
    assert (granted.type, limited.type, limited.data["reason"]) == ("credits.granted", "credits.limit_changed", REASON)


def test_a_refund_and_its_credit_note(
    finance: Client, organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    factories.card(organization)
    payment = payments.complete(purchases.begin(organization, amount=Decimal(25), method=None, by="test").pk)
    page = preview(finance, "refund", payment.public_id, fields(amount="10"))
    assert "USD\u00a010.00" in text(page)
    assert not Refund.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        ask(finance, "refund", payment.public_id, amount="10")
    refund = Refund.objects.get()
    assert (refund.status, refund.amount, refund.reason) == ("succeeded", 10, REASON)
    assert balance(organization) == 15
    assert "more than is left" in text(ask(finance, "refund", payment.public_id, amount="15.01"))
    assert payment.invoice is not None
    ask(finance, "credit_note", payment.invoice.public_id, amount="5")
    assert balance(organization) == 20
    assert "not paid is given up" in text(ask(finance, "write_off", payment.invoice.public_id))


def test_a_suspension_reaches_the_tree_and_ends(
    finance: Client, api: Any, alice: Any, organization: Organization
) -> None:
    people.add_child(organization, name="Lab")
    client = api(alice)
    page = text(preview(finance, "suspend", organization.public_id, fields()))
    assert "organization.suspended" in page
    assert client.post("/v1/account/api-keys", {"name": "one"}).status_code == 201
    ask(finance, "suspend", organization.public_id)
    assert client.post("/v1/account/api-keys", {"name": "two"}).json()["code"] == "organization_suspended"
    request = ChangeRequest.objects.get()
    assert request.before["Organizations that work"] == "2"
    assert request.after["Organizations that work"] == "0"
    ask(finance, "resume", organization.public_id)
    assert client.post("/v1/account/api-keys", {"name": "two"}).status_code == 201
    types = [row["type"] for row in client.get("/v1/events").json()["results"]]
    assert [name for name in types if name.startswith("organization.s") or name == "organization.resumed"] == [
        "organization.resumed",
        "organization.suspended",
    ]


def test_a_closed_organization_stays_closed(finance: Client, organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="closed")
    assert "The organization is closed." in text(ask(finance, "suspend", organization.public_id))
    assert not ChangeRequest.objects.exists()


def test_a_price_always_needs_a_second_person(finance: Client) -> None:
    typed = {"unit_amount": "0.5", "tiers": "1000 0.2\n- 0.1"}
    ask(finance, "price", "sms", **typed)
    request = ChangeRequest.objects.get()
    assert (request.state, Price.objects.get(meter__slug="sms").unit_amount) == ("waiting", Decimal("0.01"))
    decide(browser_of(), request, "approve")
    price = Price.objects.get(meter__slug="sms")
    tiers = [(tier.up_to, tier.unit_amount) for tier in price.tiers.all()]
    assert (price.unit_amount, tiers) == (Decimal("0.5"), [(1000, Decimal("0.2")), (None, Decimal("0.1"))])
    ask(finance, "price", "sms", endpoint="/send", unit_amount="2")
    decide(browser_of(), ChangeRequest.objects.latest("pk"), "approve")
    assert EndpointPrice.objects.get(meter__slug="sms").unit_amount == 2
    ask(finance, "price", "sms", endpoint="/send", unit_amount="")
    decide(browser_of(), ChangeRequest.objects.latest("pk"), "approve")
    assert not EndpointPrice.objects.exists()


def test_a_bad_price_is_shown(finance: Client) -> None:
    for typed in ({"unit_amount": ""}, {"tiers": "5"}, {"tiers": "5 1\n5 2"}, {"tiers": "0 1"}):
        page = preview(finance, "price", "sms", fields(**{"unit_amount": "1", **typed}))
        assert "errorlist" in page.content.decode(), typed


def test_each_kind_needs_its_own_permission(organization: Organization) -> None:
    for kind in ACTIONS:
        others = [f"request_{name}" for name in ACTIONS if name != kind]
        looker = browser_of(*others, "approve_changerequest", "view_changerequest")
        subject = "sms" if kind == "price" else organization.public_id
        assert looker.get(address(kind, subject)).status_code == 403, kind


def test_who_may_not_ask_for_it_may_not_approve_it(finance: Client, funded: Organization) -> None:
    ask(finance, "adjust", funded.public_id, amount="500")
    request = ChangeRequest.objects.get()
    for held in (["approve_changerequest"], ["request_adjust"]):
        answer = decide(browser_of("view_changerequest", *held), request, "approve")
        assert answer.status_code == 403
    assert balance(funded) == 100


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("adjust", "acct_0000000000000000"), ("reverse", "x.1"), ("refund", "pay_1"), ("price", "x"), ("x", "x")],
)
def test_what_does_not_exist_is_not_found(finance: Client, db: None, kind: str, subject: str) -> None:
    assert finance.get(address(kind, subject)).status_code == 404


def test_a_lists_actions_lead_to_the_form(operator: Client, funded: Organization) -> None:
    meter = Meter.objects.get(slug="sms")
    chosen = [
        ("billing_ledgeraccount", "adjust", funded.pk, address("adjust", funded.public_id)),
        ("billing_ledgeraccount", "grant", funded.pk, address("grant", funded.public_id)),
        ("billing_ledgeraccount", "lend", funded.pk, address("credit_limit", funded.public_id)),
        ("accounts_organization", "suspend", funded.pk, address("suspend", funded.public_id)),
        ("accounts_organization", "resume", funded.pk, address("resume", funded.public_id)),
        ("billing_meter", "change_price", meter.pk, address("price", "sms")),
    ]
    for model, action, pk, form in chosen:
        body = {"action": action, "_selected_action": str(pk)}
        assert operator.post(reverse(f"admin:{model}_changelist"), body)["Location"] == form
