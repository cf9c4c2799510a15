"""Voids: an event is taken back once, in every figure, and nothing that was written is edited."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import months
from accounts.lib.problems import NotFound
from accounts.models import Event as Happened
from accounts.models import Organization
from apikeys.models import ApiKey
from billing import organizations
from billing.exceptions import CorrectedByVoid, NotReversible
from billing.ledger import budgets, corrections, holds, leases
from billing.models import Grant, LedgerAccount, LedgerEntry, Price, PriceTier, Spending
from tests import factories
from tests.properties import search
from tests.usage.metering.batches import balance, event, outcomes, record
from usage.metering import voids
from usage.models import EndpointRollup, EventVoid, RetiredPartition, UsageEvent, UsageRollup, Volume
from usage.reporting import totals
from usage.storage import partitions, reconciliation

MAY = date(2015, 5, 1)
IN_MAY = "2015-05-17T10:05:00Z"
EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


def void(organization: Organization, id: str = "x", **options: Any) -> voids.Voided:
    return voids.void(
        organization, id, reason="Not delivered", actor="key_of_the_office", **options, now=timezone.now()
    )


def adjustment_of(voided: voids.Voided) -> LedgerEntry:
    assert voided.entry
    return LedgerEntry.objects.get(account=voided.event.account_id, seq=voided.entry)


def lot_of(voided: voids.Voided) -> Grant:
    assert voided.entry
    return Grant.objects.get(account=voided.event.account_id, entry_seq=voided.entry)


def sums(table: Any, organization: Organization) -> tuple[Any, ...]:
    totals_of_rows = table.objects.within(organization).aggregate(
        n=Sum("requests"), failed=Sum("failed"), quantity=Sum("quantity"), credits=Sum("credits")
    )
    return tuple(totals_of_rows.values())


def spent(payer: Organization, month: date = MAY) -> dict[Any, Decimal]:
    return dict(Spending.objects.filter(account_id=payer.pk, month=month).values_list("subject", "spent"))


@pytest.fixture
def child(funded: Organization) -> Organization:
    return Organization.objects.create_child(funded, name="Child")


@pytest.fixture
def key(child: Organization) -> ApiKey:
    return factories.key(child)[0]


def test_what_was_charged_comes_back_as_one_adjustment(funded: Organization) -> None:
    record(event(funded, id="x", quantity=5), event(funded))
    voided = void(funded)
    entry = adjustment_of(voided)
    assert (entry.kind, entry.amount, entry.balance_after) == ("adjustment", Decimal("0.005"), Decimal("99.999"))
    assert (entry.description, entry.reference, entry.actor) == ("Not delivered", "x", "key_of_the_office")
    assert (voided.credits, balance(funded)) == (Decimal("0.005"), Decimal("99.999"))


def test_what_comes_back_is_a_lot_without_expiry(funded: Organization) -> None:
    record(event(funded, id="x"))
    lot = lot_of(void(funded))
    assert (lot.amount, lot.remaining, lot.expires_at) == (Decimal("0.001"), Decimal("0.001"), None)


def test_or_with_the_one_that_is_stated(funded: Organization) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    record(event(funded, id="x"))
    assert lot_of(void(funded, expires_at=soon)).expires_at == soon


def test_a_void_after_a_move_gives_back_to_those_who_counted_the_event(
    funded: Organization, child: Organization, key: ApiKey
) -> None:
    before, after = (Organization.objects.create_child(funded, name=name) for name in ("Before", "After"))
    factories.move(child, before)
    record(event(key, id="x", occurred_at=IN_MAY, quantity=10))
    factories.move(child, after)
    void(child)
    assert spent(funded) == {funded.pk: 0, before.pk: 0, child.pk: 0, key.pk: 0}
    assert reconciliation.run() == []


def test_a_month_that_the_payers_new_clocks_name_otherwise_still_adds_up(funded: Organization) -> None:
    record(event(funded, id="x", occurred_at="2015-06-01T03:59:59Z"))
    organizations.change_timezone(funded, "America/New_York", now=timezone.now())
    void(Organization.objects.get(pk=funded.pk))
    assert reconciliation.run() == []


def test_what_was_charged_nothing_posts_nothing(funded: Organization) -> None:
    test_key, _ = factories.key(funded, environment="test")
    record(event(funded, id="x", quantity=0), event(test_key, id="y"))
    assert (void(funded, "x").entry, void(funded, "y").entry) == (None, None)
    assert LedgerEntry.objects.of(funded).count() == 1
    assert reconciliation.run() == []


def test_every_figure_is_lowered_by_just_the_event(funded: Organization, child: Organization, key: ApiKey) -> None:
    record(event(key, id="kept", occurred_at=IN_MAY, endpoint="/a", quantity=2))
    before = [sums(table, funded) for table in (UsageRollup, EndpointRollup)], spent(funded)
    record(event(key, id="x", occurred_at=IN_MAY, endpoint="/a", quantity=7, status=500))
    void(child)
    assert ([sums(table, funded) for table in (UsageRollup, EndpointRollup)], spent(funded)) == before
    volume = Volume.objects.get(account_id=funded.pk)
    assert (volume.month, volume.quantity, volume.requests) == (MAY, Decimal(2), 1)
    assert set(spent(funded)) == {funded.pk, child.pk, key.pk}
    assert reconciliation.run() == []


def test_reports_count_it_no_more_inside_and_at_the_edges(funded: Organization) -> None:
    at = datetime.fromisoformat(IN_MAY)
    record(event(funded, id="x", occurred_at=IN_MAY, endpoint="/a"))
    void(funded)
    for span in (EVER, (at, at + timedelta(minutes=1))):
        assert totals.of(funded, *span) == totals.NOTHING
        assert totals.by_endpoint(funded, *span) == {}
    assert totals.requests_all_time(funded) == 0


def test_usage_of_the_test_environment_is_in_no_volume(funded: Organization) -> None:
    test_key, _ = factories.key(funded, environment="test")
    record(event(funded), event(test_key, id="x"))
    void(funded)
    assert Volume.objects.get(account_id=funded.pk).requests == 1


def test_the_month_is_that_of_the_payers_clocks(funded: Organization) -> None:
    Organization.objects.filter(pk=funded.pk).update(timezone="America/New_York")
    record(event(funded, id="x", occurred_at="2015-06-01T03:59:59Z"))
    void(Organization.objects.get(pk=funded.pk))
    assert spent(funded) == {funded.pk: 0}
    assert Volume.objects.get(account_id=funded.pk, month=MAY).quantity == 0


def test_the_event_stays_as_it_was_and_its_id_is_a_duplicate(funded: Organization) -> None:
    sent = event(funded, id="x")
    record(sent)
    before = UsageEvent.objects.values().get(id="x")
    void(funded)
    assert UsageEvent.objects.values().get(id="x") == before
    assert outcomes(sent) == ["duplicate"]
    assert balance(funded) == 100


def test_an_event_is_voided_once(funded: Organization) -> None:
    record(event(funded, id="x"))
    entry = void(funded).entry
    with pytest.raises(voids.AlreadyVoided) as refused:
        void(funded)
    assert refused.value.members == {"entry": entry}
    assert (balance(funded), EventVoid.objects.of(funded).count()) == (Decimal(100), 1)


def test_of_an_id_that_was_used_again_the_newest_event_is_meant(funded: Organization) -> None:
    now = datetime.now(UTC)
    before = now - timedelta(days=70)
    partitions.ensure(before, ahead=0)
    record(event(funded, id="x", quantity=1), at=before)
    record(event(funded, id="x", quantity=3), at=now)
    assert void(funded).credits == Decimal("0.003")
    with pytest.raises(voids.AlreadyVoided):
        void(funded)
    assert reconciliation.run() == []


@pytest.mark.parametrize("owner", ["child", "foreign"])
def test_an_event_is_its_own_organizations_alone(funded: Organization, child: Organization, owner: str) -> None:
    other = child if owner == "child" else factories.organization()
    record(event(other, id="x"))
    with pytest.raises(NotFound):
        void(funded)
    assert not EventVoid.objects.exists()


def test_where_nothing_was_ever_used_a_void_leaves_no_account(organization: Organization) -> None:
    with pytest.raises(NotFound):
        void(organization)
    assert not LedgerAccount.objects.of(organization).exists()


def test_once_events_are_retired_an_unknown_one_may_be_of_them(funded: Organization) -> None:
    RetiredPartition.objects.create(month=date(2020, 1, 1))
    with pytest.raises(voids.UnknownOrRetired):
        void(funded)


def test_what_arrived_in_a_month_that_is_marked_is_still_voided(funded: Organization) -> None:
    record(event(funded, id="x"))
    RetiredPartition.objects.create(month=months.month_of(datetime.now(UTC)))
    assert RetiredPartition.objects.horizon()
    assert void(funded).credits == Decimal("0.001")
    assert reconciliation.run() == []


def test_a_hold_that_it_captured_stays_captured(funded: Organization) -> None:
    hold = holds.place(funded, amount=Decimal(1), ttl=timedelta(minutes=5), now=timezone.now())
    record(event(funded, id="x", hold=hold.public_id))
    void(funded)
    hold.refresh_from_db()
    assert (hold.status, hold.captured) == ("captured", Decimal("0.001"))
    assert LedgerAccount.objects.get(pk=funded.pk).reserved == 0


def test_a_lease_stays_drawn_from(funded: Organization) -> None:
    lease = leases.take(funded, amount=Decimal(1), ttl=timedelta(minutes=5), now=timezone.now())
    record(event(funded, id="x", hold=lease.public_id, quantity=400))
    void(funded)
    lease.refresh_from_db()
    assert (lease.status, lease.captured) == ("open", Decimal("0.4"))
    assert LedgerAccount.objects.get(pk=funded.pk).reserved == Decimal("0.6")
    assert reconciliation.run() == []


def test_neither_the_usage_nor_the_adjustment_is_reversed(funded: Organization) -> None:
    record(event(funded, id="x"))
    adjustment = adjustment_of(void(funded))
    with pytest.raises(CorrectedByVoid):
        corrections.reverse(LedgerEntry.objects.of(funded).get(kind="usage"), reason="r", actor="a", now=timezone.now())
    with pytest.raises(NotReversible):
        corrections.reverse(adjustment, reason="r", actor="a", now=timezone.now())


def test_a_budget_recovers_in_the_same_transaction(funded: Organization) -> None:
    budgets.limit(funded, Decimal(1), now=timezone.now())
    record(event(funded, id="x", quantity=600))
    budgets.limit(funded, Decimal(1), now=timezone.now())  # a look, in case usage was not announced yet
    void(funded)
    about_budgets = Happened.objects.of(funded).filter(type__startswith="budget.").order_by("id")
    announced = [(happened.type, happened.data["threshold"]) for happened in about_budgets]
    assert announced == [("budget.crossed", 50), ("budget.recovered", 50)]


def test_tiers_go_on_from_what_was_used_less_the_void(funded: Organization) -> None:
    price = Price.objects.get(meter__slug="sms")
    PriceTier.objects.create(price=price, up_to=10, unit_amount=Decimal(1))
    PriceTier.objects.create(price=price, up_to=None, unit_amount=Decimal("0.1"))
    record(event(funded, id="x", meter="sms", quantity=10))
    void(funded)
    [result] = record(event(funded, meter="sms", quantity=10))
    assert result.credits == 10
    assert reconciliation.run() == []


def test_what_comes_back_pays_a_debt_first(organization: Organization) -> None:
    record(event(organization, id="x", quantity=1000), event(organization, quantity=500))
    lot = lot_of(void(organization))
    assert (balance(organization), lot.amount, lot.remaining) == (Decimal("-0.5"), 1, 0)


quantities = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from(["requests", "sms"])), max_size=8)


@search(15)
@given(kept=quantities, gone=quantities)
def test_what_was_voided_leaves_the_figures_as_if_it_had_never_been(db: None, kept: list[Any], gone: list[Any]) -> None:
    plain, other = (factories.organization() for _ in range(2))
    send(plain, "kept", kept)
    send(other, "kept", kept)
    send(other, "gone", gone)
    for n in range(len(gone)):
        void(other, f"gone{n}")
    assert figures(plain) == figures(other)
    assert reconciliation.run() == []


def send(organization: Organization, name: str, drawn: list[Any]) -> None:
    status = {True: 500, False: 200}
    record(
        *(
            event(organization, id=f"{name}{n}", quantity=quantity, status=status[failed], meter=meter)
            for n, (quantity, failed, meter) in enumerate(drawn)
        )
    )


def figures(organization: Organization) -> tuple[Any, ...]:
    """But for rows of nothing, which are as good as none."""
    rollups = [[total or 0 for total in sums(table, organization)] for table in (UsageRollup, EndpointRollup)]
    volumes = Volume.objects.filter(account_id=organization.pk, requests__gt=0)
    spending = Spending.objects.filter(account_id=organization.pk).exclude(spent=0)
    used = sorted(volumes.values_list("meter", "quantity", "requests"))
    return rollups, used, list(spending.values_list("spent", flat=True)), balance(organization)
