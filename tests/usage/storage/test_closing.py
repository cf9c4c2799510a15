"""The close of a month: it freezes usage once; usage that arrives after its mark is late."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Event as Flag
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from time_machine import travel

from accounts.lib import months
from accounts.models import Event, Organization
from billing.ledger import balances as ledger_balances
from billing.ledger import holds, posting
from billing.models import BillingAccount, LedgerAccount, LedgerEntry, Meter
from tests import factories
from tests.attacks import without_triggers
from tests.concurrency import dont_lock, race
from tests.killing import hang, killed
from tests.usage.metering.batches import balance, event, outcomes, record, this_month
from tests.usage.storage.months import A_MONTH, END, balances, billed_in, close, created, frozen
from usage import tasks
from usage.metering import voids
from usage.models import MonthClose, MonthlyUsage, UsageEvent
from usage.reporting import totals
from usage.storage import advancing, closing, freezing, month_papers, reconciliation
from usage.storage.month_papers import ClosedMonth

MONTH = this_month(1).date()
NEXT = months.shift(MONTH, 1)
CENT = Decimal("0.01")


def late(organization: Organization) -> dict[str, bool]:
    return dict(UsageEvent.objects.of(organization).values_list("id", "late"))


def test_what_was_used_is_frozen_by_organization_and_meter(funded: Organization) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    test_key, _ = factories.key(funded, environment="test")
    key, _ = factories.key(funded)
    record(event(funded, meter="sms", quantity=3), event(key, meter="sms", status=500), event(funded), event(test_key))
    record(event(child, meter="sms"))
    close(funded)
    assert frozen(funded) == [
        (MONTH, MONTH, "requests", 1, 0, 1, Decimal("0.001")),
        (MONTH, MONTH, "sms", 2, 1, 4, 4 * CENT),
        (MONTH, MONTH, "sms", 1, 0, 1, CENT),
    ]
    assert MonthlyUsage.objects.of(child).get().credits == CENT
    assert reconciliation.run() == []


def test_a_month_has_the_balance_at_both_ends(funded: Organization) -> None:
    record(event(funded, meter="sms"))
    holds.capture(
        holds.place(funded, amount=Decimal(2), ttl=timedelta(hours=1), now=timezone.now()), now=timezone.now()
    )
    posting.post(funded.pk, kind=LedgerEntry.Kind.PURCHASE, amount=Decimal(50), now=timezone.now())
    close(funded)
    posting.post(funded.pk, kind=LedgerEntry.Kind.SUBSCRIPTION, amount=Decimal(-5), now=timezone.now())
    close(funded, END + A_MONTH)
    assert balances(funded) == [
        (MONTH, 0, 148 - CENT),
        (NEXT, 148 - CENT, 143 - CENT),
    ]
    assert balance(funded) == 143 - CENT
    [first, _] = Event.objects.of(funded).filter(type="month.closed").order_by("pk")
    assert first.data == {"month": f"{MONTH:%Y-%m}", "opening": 0, "used": CENT, "closing": 148 - CENT}
    assert reconciliation.run() == []


def test_a_late_event_is_billed_in_the_first_month_that_is_closed_after_it_came(funded: Organization) -> None:
    record(event(funded, id="a"))
    close(funded)
    record(event(funded, id="b", meter="sms", occurred_at="2015-05-01T00:00:00Z"), event(funded, id="c", meter="sms"))
    close(funded, END + A_MONTH)
    assert late(funded) == {"a": False, "b": True, "c": True}
    assert billed_in(funded) == {"a": MONTH, "b": NEXT, "c": NEXT}
    may = MONTH.replace(year=2015, month=5)
    assert frozen(funded)[1:] == [
        (NEXT, may, "sms", 1, 0, 1, CENT),
        (NEXT, MONTH, "sms", 1, 0, 1, CENT),
    ]
    assert balances(funded)[1] == (NEXT, 100 - Decimal("0.001"), 100 - Decimal("0.021"))
    assert reconciliation.run() == []


def test_an_event_that_comes_between_the_end_and_the_close_is_not_late(funded: Organization) -> None:
    with travel(END + timedelta(minutes=4), tick=False):
        record(event(funded, id="x", occurred_at=(END - timedelta(seconds=1)).isoformat()), event(funded, id="y"))
        close(funded, END + timedelta(minutes=5))
    assert late(funded) == {"x": False, "y": False}
    assert billed_in(funded) == {"x": MONTH, "y": NEXT}
    assert balances(funded) == [(MONTH, 0, 100 - Decimal("0.001"))]
    assert reconciliation.run() == []


def test_what_occurred_before_the_first_month_is_in_it(funded: Organization) -> None:
    record(event(funded, id="x", meter="sms", occurred_at="2015-05-01T00:00:00Z"), event(funded, id="y", meter="sms"))
    close(funded)
    assert billed_in(funded) == {"x": MONTH, "y": MONTH}
    assert [row[:4] for row in frozen(funded)] == [
        (MONTH, MONTH.replace(year=2015, month=5), "sms", 1),
        (MONTH, MONTH, "sms", 1),
    ]
    assert reconciliation.run() == []


def test_months_are_closed_one_after_the_other_from_the_organizations_first(funded: Organization) -> None:
    created(funded, this_month(1) - timedelta(days=45))
    close(funded)
    first = months.shift(MONTH, -2)
    assert [month for month, *_ in balances(funded)] == [first, months.shift(first, 1), MONTH]
    assert reconciliation.run() == []


def test_a_void_before_the_close_leaves_nothing_in_the_month(funded: Organization) -> None:
    record(event(funded, id="x", meter="sms"), event(funded, id="y", meter="sms"))
    voids.void(funded, "x", reason="r", actor="", now=timezone.now())
    close(funded)
    assert [row[3] for row in frozen(funded)] == [1]
    assert balances(funded) == [(MONTH, 0, 100 - CENT)]
    assert reconciliation.run() == []


@pytest.mark.parametrize("before_the_close", [True, False])
@pytest.mark.parametrize("meter", ["sms", "free"])
def test_a_void_after_the_end_is_a_correction_of_the_next_month(
    funded: Organization, before_the_close: bool, meter: str
) -> None:
    Meter.objects.create(slug="free", name="Free", unit="call")
    record(event(funded, id="x", meter=meter))
    with travel(END + timedelta(minutes=1), tick=False):
        void = partial(voids.void, funded, "x", reason="r", actor="", now=timezone.now())
        first, second = (void, partial(close, funded)) if before_the_close else (partial(close, funded), void)
        first()
        second()
    close(funded, END + A_MONTH)
    cost = CENT if meter == "sms" else Decimal(0)
    assert frozen(funded) == [(MONTH, MONTH, meter, 1, 0, 1, cost)]
    assert balances(funded) == [(MONTH, 0, 100 - cost), (NEXT, 100 - cost, 100)]
    assert reconciliation.run() == []


def test_a_void_of_a_late_event_in_its_month_takes_it_out(funded: Organization) -> None:
    close(funded)
    record(event(funded, id="x", meter="sms"), event(funded, id="y", meter="sms"))
    voids.void(funded, "x", reason="r", actor="", now=timezone.now())
    close(funded, END + A_MONTH)
    assert [row[:4] for row in frozen(funded)] == [(NEXT, MONTH, "sms", 1)]
    assert balances(funded)[1] == (NEXT, 100, 100 - CENT)
    assert reconciliation.run() == []


def test_what_is_posted_after_a_close_is_dated_after_its_end(funded: Organization) -> None:
    close(funded, END + timedelta(minutes=5))
    factories.credit(funded, 1)
    assert LedgerEntry.objects.of(funded).get(seq=2).created_at == END + timedelta(minutes=5)


def test_a_late_event_is_charged_and_lands_in_its_own_month(funded: Organization) -> None:
    close(funded)
    assert outcomes(event(funded)) == ["accepted"]
    assert balance(funded) == Decimal("99.999")
    assert totals.of(funded, this_month(1, 0), END).requests == 1


def test_without_a_close_nothing_is_late(funded: Organization) -> None:
    record(event(funded, id="x", occurred_at="2001-01-01"))
    assert late(funded) == {"x": False}


def test_the_mark_of_the_root_is_that_of_its_tree_alone(funded: Organization) -> None:
    child, other = Organization.objects.create_child(funded, name="Child"), factories.organization()
    close(funded)
    record(event(child, id="x"), event(other, id="y"))
    assert late(child) | late(other) == {"x": True, "y": False}


def test_what_has_not_ended_is_not_closed(funded: Organization) -> None:
    assert close(funded, END - timedelta(microseconds=1)) == []
    assert funded.pk not in set(closing.due(END - timedelta(microseconds=1)))
    assert funded.pk in set(closing.due(END))
    close(funded)
    assert funded.pk not in set(closing.due(END))
    assert funded.pk in set(closing.due(END + A_MONTH))


def test_a_payer_whose_clock_was_moved_is_closed_by_that_clock(funded: Organization) -> None:
    Organization.objects.filter(pk=funded.pk).update(clock_ahead=timedelta(days=1))
    assert funded.pk not in set(closing.due(END))
    advancing.sweep(END - timedelta(days=1, microseconds=1))
    assert balances(funded) == []
    advancing.sweep(END - timedelta(days=1))
    assert balances(funded) == [(MONTH, 0, 100)]


def test_a_payer_that_never_used_anything_is_closed_as_well(organization: Organization) -> None:
    ledger_balances.open_accounts([organization.pk], timezone.now())
    close(organization)
    assert (frozen(organization), balances(organization)) == ([], [(MONTH, 0, 0)])


@pytest.fixture
def payers(db: None) -> list[UUID]:
    """A postpaid and a prepaid one, and one without a billing account, in two zones. The nth used n credits."""
    payers = [Organization.objects.create_root(name=zone, timezone=zone) for zone in ("UTC", "Asia/Tokyo", "UTC")]
    for payer, mode in zip(payers, ("postpaid", "prepaid"), strict=False):
        account = factories.billing_account(payer)
        BillingAccount.objects.filter(pk=account.pk).update(billing_mode=mode)
    record(*(event(payer, meter="sms", quantity=100 * n) for n, payer in enumerate(payers, start=1)))
    return [payer.pk for payer in payers]


def test_months_of_several_payers_are_closed_together(payers: list[UUID]) -> None:
    closes = {close.account_id: close for close in closing.close_ended(payers, END + timedelta(days=1))}
    assert [closes[payer].closing for payer in payers] == [-1, -2, -3]
    papers = [closes[payer].paper for payer in payers]
    assert [paper and paper.kind for paper in papers] == ["invoice", "statement", None]
    assert [paper and paper.total for paper in papers] == [1, -2, None]
    assert reconciliation.run() == []


def test_a_payer_that_can_not_be_closed_holds_up_no_other(payers: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    draft, again = month_papers.draft, list[list[str]]()

    def fail(month: ClosedMonth) -> Any:
        if month.payer.pk == payers[1]:
            raise RuntimeError
        return draft(month)

    monkeypatch.setattr(month_papers, "draft", fail)
    monkeypatch.setattr(tasks.close_ended_months, "delay", again.append)
    with travel(END + timedelta(days=1)):
        assert tasks.close_months() == 1
        [together] = [batch for batch in again if str(payers[1]) in batch]
        again.clear()
        assert tasks.close_ended_months(together) == 0
        assert MonthClose.objects.filter(status="done").count() == 0
        for alone in list(again):
            with suppress(RuntimeError):
                tasks.close_ended_months(alone)
    closes = MonthClose.objects.filter(account__in=payers)
    assert {close.account_id: close.status for close in closes} == {
        payers[0]: "done",
        payers[1]: "started",
        payers[2]: "done",
    }


def test_a_service_that_assesses_taxes_is_waited_for_by_one_payer_alone(payers: list[UUID], settings: Any) -> None:
    now = END + timedelta(days=1)
    assert [set(payers) <= set(batch) for batch in closing.batches(now)] == [True]
    settings.TAX_PROVIDER = "somebody.elses"
    assert {len(batch) for batch in closing.batches(now)} == {1}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE usage_monthlyusage SET credits = 0",
        "DELETE FROM usage_monthlyusage",
        "TRUNCATE usage_monthlyusage",
        "UPDATE usage_monthclose SET closing = 0",
        "DELETE FROM usage_monthclose",
        "TRUNCATE usage_monthclose",
    ],
)
def test_what_is_closed_is_never_changed(funded: Organization, statement: str) -> None:
    record(event(funded))
    close(funded)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checks that wait for the commit would refuse it first
        with pytest.raises(DatabaseError, match="is frozen"):
            cursor.execute(statement)


DAMAGES = {
    "UPDATE usage_monthlyusage SET credits = credits + 1": "what is frozen of a month is the sum of the events",
    "UPDATE usage_monthlyusage SET requests = 5": "what is frozen of a month is what its rollups have",
    "DELETE FROM usage_monthlyusage": "the balance at the end of a month",
    "UPDATE usage_monthclose SET closing = 0": "the balance at the end of a month",
    "UPDATE usage_monthclose SET opening = 1 WHERE starts_at IS NOT NULL": "closed months follow one another",
    "UPDATE usage_monthclose SET starts_at = NULL": "closed months follow one another",
    "DELETE FROM usage_monthclose WHERE starts_at IS NOT NULL": "usage is late from the end",
    "UPDATE billing_ledgeraccount SET closed_through = NULL": "usage is late from the end",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_does_not_agree_is_noticed(funded: Organization, damage: str) -> None:
    record(event(funded, meter="sms"))
    close(funded)
    record(event(funded, meter="sms"))
    close(funded, END + A_MONTH)
    assert reconciliation.run() == []
    with connection.cursor() as cursor:
        without_triggers(cursor)
        cursor.execute(damage)
    assert DAMAGES[damage] in " ".join(finding.check for finding in reconciliation.run())


@pytest.fixture
def payer(committed: None) -> Organization:
    payer = factories.organization()
    factories.credit(payer, 100)
    return payer


def test_a_close_that_is_killed_ends_the_same_when_it_runs_again(payer: Organization) -> None:
    record(event(payer, meter="sms"))

    def work(reached: int) -> None:
        closing._issue_papers = lambda *_: hang(reached=reached)
        close(payer)

    killed(work)
    started = MonthClose.objects.get(account=payer.pk)
    assert (started.status, frozen(payer), late(payer)) == ("started", [], {**late(payer)})
    close(payer)
    assert MonthClose.objects.get(account=payer.pk).status == "done"
    assert frozen(payer) == [(MONTH, MONTH, "sms", 1, 0, 1, CENT)]
    assert balances(payer) == [(MONTH, 0, 100 - CENT)]


def both_at_once(payer: Organization) -> list[Any]:
    record(event(payer, meter="sms"))
    return race([partial(close, payer)] * 4)


def test_of_several_workers_one_closes(payer: Organization) -> None:
    results = both_at_once(payer)
    assert [error for error in results if isinstance(error, Exception)] == []
    assert [row[3] for row in frozen(payer)] == [1]
    assert Event.objects.of(payer).filter(type="month.closed").count() == 1


def test_without_the_lock_several_would_close(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: the database refuses the others, which did the work as well."""
    dont_lock(monkeypatch)
    freeze = freezing.freeze

    def slowly(*args: Any) -> list[MonthlyUsage]:
        time.sleep(0.2)
        return freeze(*args)

    monkeypatch.setattr(freezing, "freeze", slowly)
    assert [error for error in both_at_once(payer) if isinstance(error, DatabaseError)] != []


def close_while_an_event_is_on_its_way(organization: Organization, *, event_first: bool) -> None:
    """Both at once: the first has done its work, but not committed, when the second begins."""
    begun = Flag()

    def first_of(work: Callable[[], None]) -> None:
        with transaction.atomic():
            work()
            begun.set()
            time.sleep(0.2)

    def second_of(work: Callable[[], None]) -> None:
        begun.wait(timeout=30)
        work()

    def ingest() -> None:
        assert outcomes(event(organization, id="x")) == ["accepted"]

    def finish() -> None:
        close(organization)

    both = (ingest, finish) if event_first else (finish, ingest)
    assert race([lambda: first_of(both[0]), lambda: second_of(both[1])]) == [None, None]


@pytest.mark.parametrize("event_first", [True, False])
def test_an_event_is_late_if_the_close_commits_before_it(payer: Organization, event_first: bool) -> None:
    close_while_an_event_is_on_its_way(payer, event_first=event_first)
    assert late(payer) == {"x": not event_first}
    assert len(frozen(payer)) == event_first


def test_without_the_lock_an_event_would_miss_a_close_that_commits_before_it(
    payer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the event is not in the closed figures, and does not know that it is late."""
    dont_lock(monkeypatch)
    close_while_an_event_is_on_its_way(payer, event_first=False)
    assert (late(payer), frozen(payer)) == ({"x": False}, [])
    forget_closes(payer)


def forget_closes(payer: Organization) -> None:
    """Other tests prove the books of everybody."""
    with transaction.atomic(), connection.cursor() as cursor:
        without_triggers(cursor)
        MonthClose.objects.filter(account=payer.pk).delete()
        LedgerAccount.objects.filter(pk=payer.pk).update(closed_through=None)
