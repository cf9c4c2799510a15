"""Auto-recharge: buys credits when `balance − reserved` falls below the threshold.

The settings and the last rounds are a row; everything else is read from the payments. The payment is inserted under the
payer's lock, where all bounds are checked, and the gateway is called after the commit. A partial unique index keeps it
to one at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings as installation
from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext, gettext_noop

from accounts import events
from accounts.lib.languages import translated, written
from accounts.lib.money import ZERO, plain
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing import accounts, clock
from billing.ledger import billing_zone, posting
from billing.models import AutoRecharge, LedgerAccount, Payment
from billing.payments import minor_units, notices, payment_events, payments, purchases, rounds

log = structlog.get_logger()

SWEEP_SIZE = 200
ANNOUNCED = (80, 100)  # percent of the monthly limit
LIMIT_SUBJECT = gettext_noop("Auto-recharge: %(percent)s %% of the monthly limit")
LIMIT_BODY = gettext_noop("Auto-recharge has reached %(percent)s %% of its monthly limit of %(limit)s credits.")


@dataclass(frozen=True)
class RechargeState:
    """What will happen next, and why not. `charge` is the amount to buy now, in credits; None if nothing is due."""

    code: str
    sentence: str
    next_attempt_at: datetime | None = None
    charge: Decimal | None = None


def of(organization: Organization) -> AutoRecharge:
    settings = AutoRecharge.objects.of(organization).select_related("payment_method").first()
    return settings or AutoRecharge(organization=organization)


def spent_this_month(organization: Organization, now: datetime) -> tuple[Decimal, int]:
    """Credits and number of the recharges of the payer's month that succeeded or are under way."""
    zone = billing_zone.of(organization)
    start, end = zone.bounds(zone.month_of(now))
    counting = Payment.objects.of(organization).filter(
        purpose=Payment.Purpose.RECHARGE,
        status__in=[*Payment.OPEN, Payment.Status.SUCCEEDED],
        created_at__gte=start,
        created_at__lt=end,
    )
    sums = counting.aggregate(amount=Sum("amount"), number=Count("pk"))
    return sums["amount"] or ZERO, sums["number"]


def assess(organization: Organization, now: datetime, needed: Decimal = ZERO) -> RechargeState:
    """The state of an organization's auto-recharge. Under the payer's lock it decides whether to charge."""
    settings = of(organization)
    blocked = _blocked(settings, organization, now) or _in_flight(organization)
    return blocked or _waiting(settings, organization, now, needed)


def _blocked(settings: AutoRecharge, organization: Organization, now: datetime) -> RechargeState | None:
    if not settings.enabled:
        return RechargeState("disabled", gettext("Auto-recharge is off."))
    if accounts.find(organization) is None:
        return RechargeState("no_billing_account", gettext("Create a billing account first."))
    if not organization.is_operational:
        return RechargeState("suspended", gettext("The organization is suspended. Nothing is charged."))
    if rounds.chargeable_card(settings, now) is None:
        return RechargeState("no_payment_method", gettext("Add a card: there is none that can be charged."))
    return None


def _in_flight(organization: Organization) -> RechargeState | None:
    recharges = Payment.objects.of(organization).filter(purpose=Payment.Purpose.RECHARGE, status__in=Payment.OPEN)
    payment = recharges.first()
    if payment is None:
        return None
    price = {"price": f"{written(plain(payment.total))} {payment.currency}"}
    if payment.status == Payment.Status.ACTION_REQUIRED:
        sentence = gettext(
            "Your bank wants you to confirm a payment of %(price)s. Nothing else is charged before that."
        )
        return RechargeState("action_required", sentence % price, payment.expires_at)
    if payment.problem == "misconfigured":
        return RechargeState("gateway_misconfigured", gettext("Payments are not available. We are working on it."))
    if payment.problem:
        sentence = gettext("The bank has not answered about a charge of %(price)s. We ask again.")
        return RechargeState("confirming", sentence % price, payment.next_attempt_at)
    return RechargeState("charging", gettext("%(price)s are being charged.") % price)


def _waiting(settings: AutoRecharge, organization: Organization, now: datetime, needed: Decimal) -> RechargeState:
    """Checks the limits one by one, in the order in which we report them."""
    assert settings.threshold is not None
    if settings.paused:
        return RechargeState("paused", translated(rounds.PAUSED[settings.paused]))
    if settings.next_attempt_at and settings.next_attempt_at > now:
        sentence = gettext("The last try did not succeed. The next is at %(next)s.")
        return RechargeState(
            "declined", sentence % {"next": _moment(settings.next_attempt_at)}, settings.next_attempt_at
        )
    ledger = LedgerAccount.objects.of(organization).first() or LedgerAccount()
    measure = ledger.balance - ledger.reserved - needed
    charge = _charge(settings, organization, measure)
    if measure >= settings.threshold:
        sentence = gettext("When less than %(threshold)s credits are left, credits are bought.")
        return RechargeState("armed", sentence % {"threshold": written(plain(settings.threshold))})
    last = Payment.objects.of(organization).filter(
        purpose=Payment.Purpose.RECHARGE, status=Payment.Status.SUCCEEDED, settled_at__isnull=False
    )
    success = last.order_by("-settled_at").first()
    rest = timedelta(seconds=installation.RECHARGE_COOLDOWN_SECONDS)
    if success and success.settled_at and success.settled_at + rest > now:
        at = success.settled_at + rest
        sentence = gettext("There was a recharge just now. The next is at %(next)s at the earliest.")
        return RechargeState("cooldown", sentence % {"next": _moment(at)}, at)
    return _bounded(settings, organization, charge, now)


def _bounded(settings: AutoRecharge, organization: Organization, charge: Decimal, now: datetime) -> RechargeState:
    spent, number = spent_this_month(organization, now)
    zone = billing_zone.of(organization)
    _, turn = zone.bounds(zone.month_of(now))
    if settings.monthly_limit is not None and spent + charge > settings.monthly_limit:
        sentence = gettext("The monthly limit of %(limit)s credits leaves no room for %(charge)s.")
        facts = {"limit": written(plain(settings.monthly_limit)), "charge": written(plain(charge))}
        return RechargeState("monthly_limit", sentence % facts, turn)
    if settings.monthly_count is not None and number >= settings.monthly_count:
        sentence = gettext("There were %(count)s recharges this month, which is the limit.")
        return RechargeState("monthly_count", sentence % {"count": number}, turn)
    return RechargeState(
        "charging", gettext("%(charge)s credits are bought now.") % {"charge": written(plain(charge))}, now, charge
    )


def _charge(settings: AutoRecharge, organization: Organization, measure: Decimal) -> Decimal:
    """One charge that ends at the target, or at or above the threshold; rounded up to what the currency allows."""
    assert settings.threshold is not None
    if settings.target is not None:
        wanted = settings.target - measure
    else:
        assert settings.amount is not None
        wanted = max(settings.amount, settings.threshold - measure)
    return minor_units.round_up(wanted, currency_of(organization))


def currency_of(organization: Organization) -> str:
    account = accounts.required(organization)
    return account.currency or accounts.fix_currency(account)


def _moment(moment: datetime) -> str:
    return f"{moment:%-d %b %Y, %H:%M} UTC"


def retry(organization: Organization, now: datetime) -> None:
    """Its owner wants another round now."""
    with transaction.atomic():
        posting.lock([organization.pk], now)
        rounds.lift(organization.pk, now)
        events.record(organization.pk, "auto_recharge.retried", {}, now, targets=[organization.public_id])
    run(organization, now)


def run(organization: Organization, now: datetime, *, needed: Decimal = ZERO) -> Payment | None:
    """Charge what is due, if anything is, and if it fits into one charge. Repeated or concurrent calls charge once.

    `needed` is what will be taken at once, such as the price of a plan: it counts as spent.
    """
    charge = assess(organization, now, needed).charge
    terms = None
    if charge:  # The tax is assessed before the lock.
        try:
            currency, taxes = purchases.assess(organization, charge, now)
        except InvalidField:  # The debt has become larger than one charge may be.
            log.error("recharge too large", organization=organization.public_id, charge=charge)
            return None
        terms = {"amount": charge, "currency": currency, **purchases.charged(taxes)}
    payment = _begin(organization, terms, now, needed)
    return payments.complete(payment.pk) if payment else None


@transaction.atomic
def _begin(
    organization: Organization, terms: Mapping[str, Any] | None, now: datetime, needed: Decimal
) -> Payment | None:
    """Commit the payment that is due. There's a race here: whoever comes second under the lock finds it in flight.

    If a different charge is due by now, the next sweep makes it.
    """
    posting.lock([organization.pk], now)
    state, settings = assess(organization, now, needed), of(organization)
    card = rounds.chargeable_card(settings, now)
    if state.code == "monthly_limit":
        _announce_limit(settings, now, 100)
    if terms is None or state.charge != terms["amount"] or card is None:
        return None
    payment = Payment.objects.create(
        **terms,
        organization=organization,
        purpose=Payment.Purpose.RECHARGE,
        method=card,
        gateway=card.gateway,
        created_by="auto_recharge",
        created_at=Payment.objects.next_moment(organization, now),
        next_attempt_at=now + purchases.GRACE,
    )
    payment_events.record(payment, "payment.created", now)
    if settings.monthly_limit:
        spent, _ = spent_this_month(organization, now)
        _announce_limit(settings, now, int(spent * 100 / settings.monthly_limit))
    return payment


def _announce_limit(settings: AutoRecharge, now: datetime, percent: int) -> None:
    """Once a month for each threshold. If there is no room left for a charge, that counts as 100 %. Under the payer's
    lock.
    """
    month = billing_zone.of(settings.organization).month_of(now)
    before = settings.announced if settings.announced_month == month else 0
    spent, _ = spent_this_month(settings.organization, now)
    for threshold in (level for level in ANNOUNCED if before < level <= percent):
        described = {"threshold": threshold, "monthly_limit": settings.monthly_limit, "spent": spent}
        events.record(
            settings.organization_id, "auto_recharge.limit_crossed", {**described, "month": f"{month:%Y-%m}"}, now
        )
        settings.announced, settings.announced_month = threshold, month
        settings.save(update_fields=["announced", "announced_month"])
        facts = {"percent": threshold, "limit": settings.monthly_limit}
        page = f"{installation.BASE_URL}/o/{settings.organization.public_id}/credits/auto-recharge/"
        notices.mail(settings.organization_id, LIMIT_SUBJECT, LIMIT_BODY, page=page, **facts)


def sweep(now: datetime) -> int:
    """Recharge the organizations that are below their threshold. Returns how many charges were begun."""
    account = "organization__ledger_account"
    low = Q(**{f"{account}__balance__lt": F("threshold") + F(f"{account}__reserved")})
    never_posted = Q(**{f"{account}__isnull": True}, threshold__gt=0)
    is_due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    due = AutoRecharge.objects.filter(is_due, low | never_posted, enabled=True, paused="")
    begun = 0
    for settings in due.select_related("organization").order_by("?")[:SWEEP_SIZE]:
        try:
            begun += run(settings.organization, clock.at(settings.organization, now)) is not None
        except Exception:
            log.exception("recharge failed", organization=settings.organization.public_id)
    return begun
