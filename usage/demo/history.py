"""What happened to the company of the demo since the month before this one: traffic, purchases, grants and a close."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from accounts import events
from accounts.lib import months
from accounts.models import Organization
from billing.invoicing import subscriptions
from billing.ledger import grants, holds, thresholds
from billing.ledger.lots import Lot
from billing.models import Grant, PaymentMethod
from billing.payments import methods, payments, purchases, recharge_settings, saving_cards
from usage import metering
from usage.demo import company, traffic
from usage.demo.company import Cast
from usage.storage import closing, event_partitions, partitions

DAY = timedelta(days=1)


def start_of(now: datetime) -> datetime:
    """The first of the month before this one."""
    return months.midnight(months.shift(months.month_of(now), -1))


def live_through(cast: Cast, start: datetime, now: datetime) -> None:
    """Day by day, from `start` until now."""
    partitions.ensure(start)
    event_partitions.ensure(now)
    chance, day = random.Random(1), start  # noqa: S311
    turn = months.midnight(months.month_of(now))
    plans = _plans(start, now)
    while day < now:
        for moment, happen in plans:
            if day <= moment < day + DAY:
                with _clock_at(cast.payer, moment):
                    happen(cast, moment)
        _use(cast, day, min(day + DAY, now), (day - start) / (now - start), chance)
        day += DAY
        if day == turn:
            closing.close_ended([cast.payer.pk], turn + timedelta(minutes=20))
    _settle_in(cast, now)


def _plans(start: datetime, now: datetime) -> list[tuple[datetime, Callable[[Cast, datetime], None]]]:
    """What happens besides the traffic, and when."""
    return [
        (start + timedelta(hours=8), _begin),
        (start + timedelta(days=4, hours=9), _be_given_credits),
        (start + timedelta(days=19, hours=15), _be_declined),
        (start + timedelta(days=19, hours=16), _buy(50)),
        (max(start + timedelta(days=31, hours=10), now - timedelta(days=9)), _buy(100)),
        (now - timedelta(hours=26), _be_given_credits_that_expire),
    ]


@contextmanager
def _clock_at(payer: Organization, moment: datetime) -> Iterator[None]:
    """The payer's clock is set back to `moment`, which only its demo does."""
    _set_clock(payer, moment - timezone.now())
    try:
        yield
    finally:
        _set_clock(payer, None)


def _set_clock(payer: Organization, ahead: timedelta | None) -> None:
    Organization.objects.filter(root=payer).update(clock_ahead=ahead)
    payer.clock_ahead = ahead


def _use(cast: Cast, start: datetime, end: datetime, age: float, chance: random.Random) -> None:
    """A batch at noon, and one at the end of the day."""
    batch = list(traffic.of_day(start, end, age, cast.keys, chance))
    for moment in (min(start + DAY / 2, end), end - timedelta(seconds=1)):
        ready = [event for event in batch if event["occurred_at"] <= moment.isoformat()]
        batch = [event for event in batch if event not in ready]
        if ready:
            metering.record(ready, clock=lambda: moment)  # noqa: B023 (called at once)


def _begin(cast: Cast, now: datetime) -> None:
    saving_cards.add(cast.payer, "pm_card_visa")
    _buy(40)(cast, now)
    subscriptions.subscribe(cast.payer, "developer", now=now)


def _buy(amount: int) -> Callable[[Cast, datetime], None]:
    def buy(cast: Cast, now: datetime) -> None:
        by = f"user:{cast.owner.pk}"
        payments.complete(purchases.begin(cast.payer, amount=Decimal(amount), method=None, by=by).pk)

    return buy


def _be_declined(cast: Cast, now: datetime) -> None:
    card = saving_cards.add(cast.payer, "pm_card_chargeDeclinedInsufficientFunds")
    by = f"user:{cast.owner.pk}"
    payments.complete(purchases.begin(cast.payer, amount=Decimal(50), method=card.public_id, by=by).pk)
    methods.remove(card)
    saving_cards.add(cast.payer, "pm_card_mastercard")


def _be_given_credits(cast: Cast, now: datetime) -> None:
    _give(cast, 5, "Welcome to the beta", now + timedelta(days=20), now)


def _be_given_credits_that_expire(cast: Cast, now: datetime) -> None:
    _give(cast, 40, "Sorry for the outage", now + timedelta(days=6), now)


def _give(cast: Cast, amount: int, reason: str, expires_at: datetime, now: datetime) -> None:
    lot = Lot(category=Grant.Category.PROMOTIONAL, priority=10, expires_at=expires_at)
    grants.give(cast.payer, Decimal(amount), lot, description=reason, actor="", now=now)


def _settle_in(cast: Cast, now: datetime) -> None:
    """The current settings and holds."""
    company.change_keys(cast, now)
    thresholds.set_low_balance(cast.payer, Decimal(20), now=now)
    backup = PaymentMethod.objects.of(cast.payer).filter(brand="mastercard").get()
    methods.change(backup, {"is_backup": True})
    settings = {"enabled": True, "threshold": Decimal(15), "amount": Decimal(50), "monthly_limit": Decimal(200)}
    recharge_settings.change(cast.payer, settings, by=events.Actor.of_person(cast.owner.pk), now=now)
    for name, amount in (("iOS app", "0.48"), ("Production", "1.2")):
        key = cast.keys[name]
        assert key.organization is not None
        holds.place(
            key.organization, amount=Decimal(amount), ttl=timedelta(hours=12), now=now, key=key, reference="call-4711"
        )
