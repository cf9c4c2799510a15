"""A payer's clock is moved ahead, and what falls due on the way runs in order."""

import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.lib import deadlines
from accounts.models import Event, Organization, User
from billing import clock
from billing.invoicing import subscriptions
from billing.ledger import holds, posting
from billing.ledger.lots import Lot
from billing.models import Hold, LedgerAccount, LedgerEntry, Payment, Subscription
from billing.payments import recharge_settings
from tests import factories
from tests.billing.invoicing.subscribing import BY, plan, subscriber
from tests.conftest import Api
from tests.usage.metering.batches import event, record
from usage.models import MonthClose, UsageEvent
from usage.storage import advancing, reconciliation

DAY = timedelta(days=1)
DAYS = int(os.environ.get("CLOCK_DAYS", "95"))


def advance(organization: Organization, days: float) -> Organization:
    advancing.advance(organization, clock.now(organization) + days * DAY)
    return Organization.objects.get(pk=organization.pk)


def test_auto_recharge_buys_at_the_moment_at_which_a_renewal_leaves_too_little(db: None) -> None:
    organization, now = subscriber(70), timezone.now()
    factories.card(organization)
    plan("pro", 30)
    terms = {"enabled": True, "threshold": Decimal(15), "amount": Decimal(50)}
    recharge_settings.change(organization, terms, by=BY, now=now)
    subscriptions.subscribe(organization, "pro", now=now)
    advance(organization, 34)
    fee, bought = LedgerEntry.objects.of(organization).order_by("-seq")[:2][::-1]
    assert (fee.kind, bought.kind, bought.balance_after) == ("subscription", "purchase", 60)
    assert bought.created_at - fee.created_at < timedelta(minutes=1)


def test_a_move_that_takes_too_long_stops_on_the_way_and_goes_on(db: None) -> None:
    organization, started = subscriber(40), timezone.now()
    to = started + 40 * DAY
    with deadlines.within(1), pytest.raises(advancing.ClockUnderWay) as stopped:
        advancing.advance(organization, to)
    organization.refresh_from_db()
    assert started < datetime.fromisoformat(stopped.value.members["now"]) <= clock.now(organization) < to
    assert advancing.advance(organization, to) == to


def test_time_passes_in_order(db: None) -> None:
    """Three months; CLOCK_DAYS=366 makes it a year."""
    organization = subscriber(40)
    card = factories.card(organization)
    plan("pro", 30, grant=10)
    now = timezone.now()
    terms = {"enabled": True, "threshold": Decimal(5), "target": Decimal(60), "payment_method": card.public_id}
    recharge_settings.change(organization, terms, by=BY, now=now)
    subscriptions.subscribe(organization, "pro", now=now)
    holds.place(organization, amount=Decimal(5), ttl=timedelta(hours=1), now=now)
    organization = advance(organization, DAYS)
    assert Hold.objects.get().status == "expired"
    periods = list(Subscription.objects.get().periods.order_by("starts_at"))
    assert len(periods) > DAYS // 31
    assert MonthClose.objects.done().filter(account=organization.pk).count() >= DAYS // 31
    entries = list(LedgerEntry.objects.of(organization).order_by("seq"))
    fees = [entry for entry in entries if entry.kind == "subscription"]
    bought = Payment.objects.of(organization).filter(purpose="recharge", status="succeeded")
    assert (len(fees), bought.count()) == (len(periods), len([entry for entry in entries if entry.kind == "purchase"]))
    assert bought.exists()
    times = [entry.created_at for entry in entries]
    assert times == sorted(times)
    minute = timedelta(minutes=1)
    assert all(timedelta(0) <= fee.created_at - row.starts_at < minute for fee, row in zip(fees, periods, strict=True))
    assert reconciliation.run() == []


def test_others_keep_their_time(db: None) -> None:
    organization, other = subscriber(), subscriber()
    for payer in (organization, other):
        lot = Lot(expires_at=timezone.now() + DAY)
        posting.post(payer.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(7), lot=lot, now=timezone.now())
    advance(organization, 2)
    assert [LedgerAccount.objects.get(pk=payer.pk).balance for payer in (organization, other)] == [100, 107]


def test_usage_and_the_gate_follow_the_moved_clock(api: Any, gateway: Api, funded: Organization) -> None:
    key, secret = factories.key(funded)
    lot = Lot(expires_at=timezone.now() + 30 * DAY)
    posting.post(funded.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(50), lot=lot, now=timezone.now())
    body = {"key": secret, "meter": "sms", "quantity": 10_000, "hold_seconds": 60}
    assert gateway.post("/v1/keys/verify", {**body, "hold_seconds": 1}).json()["code"] == "VALID"
    moved, other = advance(funded, 40), factories.organization()
    now = clock.now(moved)
    verdict = gateway.post("/v1/keys/verify", body).json()
    assert (verdict["code"], verdict["available"]) == ("VALID", 0)
    assert Hold.objects.get(pk=Hold(id=verdict["hold"].removeprefix("hold_")).pk).expires_at > now + timedelta(
        seconds=59
    )
    batch = gateway.post("/v1/keys/verify/batch", {"calls": [body]}).json()
    assert [verdict["code"] for verdict in batch["results"]] == ["INSUFFICIENT_CREDITS"]
    results = record(event(key, id="a"), event(other, id="b"), event(key, id="c", occurred_at=(now - DAY).isoformat()))
    assert [each.result for each in results] == ["accepted"] * 3
    events = {row.id: row for row in UsageEvent.objects.all()}
    assert abs(events["a"].occurred_at - now) < timedelta(minutes=1)
    assert abs(events["a"].recorded_at - now) < timedelta(minutes=1)
    assert abs(events["b"].recorded_at - timezone.now()) < timedelta(minutes=1)
    assert abs(events["c"].occurred_at - (now - DAY)) < timedelta(seconds=1)
    assert LedgerEntry.objects.of(moved).latest("seq").created_at > now - timedelta(minutes=1)


def test_it_goes_on_by_itself(db: None) -> None:
    organization = subscriber()
    now = clock.now(organization := advance(organization, 10))
    holds.place(organization, amount=Decimal(5), ttl=timedelta(seconds=60), now=now)
    advancing.sweep(timezone.now() + timedelta(seconds=59))
    assert Hold.objects.get().status == "open"
    advancing.sweep(timezone.now() + timedelta(seconds=61))
    assert Hold.objects.get().status == "expired"


def test_it_is_moved_over_the_api(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    before = client.get("/v1/sandbox/clock").json()
    assert (before["organization"], before["is_moved"]) == (organization.public_id, False)
    to = timezone.now() + 31 * DAY
    after = client.post("/v1/sandbox/clock", {"now": to.isoformat()}).json()
    assert after["is_moved"]
    assert abs(datetime.fromisoformat(after["now"]) - to) < timedelta(seconds=20)
    assert Event.objects.of(organization).filter(type="clock.moved").count() == 1
    for bad in (timezone.now(), to + 401 * DAY, "tomorrow", None):
        body = {"now": bad.isoformat() if isinstance(bad, datetime) else bad}
        answer = client.post("/v1/sandbox/clock", body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/now")


def test_with_a_real_gateway_no_clock_moves(api: Any, alice: User, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "stripe"
    answer = api(alice).post("/v1/sandbox/clock", {"now": (timezone.now() + DAY).isoformat()})
    assert (answer.status_code, answer.json()["code"]) == (409, "clock_not_movable")


def test_it_is_moved_by_a_command(organization: Organization, capsys: pytest.CaptureFixture[str]) -> None:
    to = timezone.now() + DAY
    call_command("advance_clock", organization.public_id, to.isoformat())
    assert organization.public_id in capsys.readouterr().out
    for arguments, sentence in (
        (("acct_none", to.isoformat()), "no organization"),
        ((organization.public_id, "soon"), "Expected"),
        ((organization.public_id, "2020-01-01"), "not set back"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("advance_clock", *arguments)
