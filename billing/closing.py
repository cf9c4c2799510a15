"""Closing an organization for good: only when it owes nothing, and is owed nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from accounts import events, members, naming, tree
from accounts.access import OrganizationClosed
from accounts.credentials import Credential, Kind
from accounts.lib.money import ZERO, plain
from accounts.lib.problems import Conflict, Forbidden
from accounts.lib.sentences import filled
from accounts.models import Membership, Organization, WebhookEndpoint
from apikeys import departures
from apikeys.models import ApiKey
from billing import accounts
from billing.invoicing import subscriptions
from billing.ledger import lots, posting, thresholds
from billing.models import (
    BillingAccount,
    Dispute,
    Grant,
    Hold,
    InvoiceState,
    LedgerAccount,
    LedgerEntry,
    Payment,
    PaymentMethod,
    Refund,
    Subscription,
)
from billing.payments import methods, minor_units

PEOPLE = (Kind.TOKEN, Kind.SESSION)


@dataclass(frozen=True)
class Obstacle:
    """A reason why an organization can't be closed yet."""

    code: str
    detail: str


@dataclass(frozen=True)
class Facts:
    """What closing would end, and what prevents it. `promotional` credits are given up."""

    obstacles: tuple[Obstacle, ...]
    api_keys: int
    webhook_endpoints: int
    people: int
    plan: str | None
    promotional: Decimal


class NotClosable(Conflict):
    """Something is still owed, or under way."""

    code = "organization_not_closable"

    def __init__(self, obstacles: list[Obstacle]) -> None:
        super().__init__(
            " ".join(obstacle.detail for obstacle in obstacles), obstacles=[vars(obstacle) for obstacle in obstacles]
        )


class PersonRequired(Forbidden):
    """Only people may close an organization, not programs."""

    code = "person_required"
    detail = "Only a person closes an organization."


def check_may_close(organization: Organization, by: Credential) -> None:
    """People who administer its parent, its own owners, and the operator may. `Forbidden` for everyone else."""
    if by.is_platform:
        tree.check_administers(organization, by)
    elif by.kind not in PEOPLE:
        raise PersonRequired
    elif organization.is_root or not tree.administers_parent(organization, by):
        members.check_grant(Membership.Role.OWNER, naming.standing(by, organization))


def facts(organization: Organization, now: datetime) -> Facts:
    """The facts that the page shows before somebody decides."""
    if organization.is_root:
        posting.bring_up_to_date(organization.pk, now)
    subscription = subscriptions.live(organization)
    endpoints = WebhookEndpoint.objects.of(organization)
    return Facts(
        obstacles=tuple(_obstacles(organization)),
        api_keys=ApiKey.objects.within(organization).unrevoked().count(),
        webhook_endpoints=endpoints.count(),
        people=members.of(organization).count(),
        plan=subscription.plan.name if subscription else None,
        promotional=_left(organization, Grant.Category.PROMOTIONAL),
    )


@transaction.atomic
def close(organization: Organization, *, by: Credential, now: datetime) -> Organization:
    """Close it. `NotClosable` lists all obstacles, and nothing has changed.

    There's a race here: a payment, a hold or a child may begin meanwhile. So the payer and the root are locked first.
    """
    check_may_close(organization, by)
    posting.lock([organization.root_id], now)
    Organization.objects.lock(organization.root_id)
    organization.refresh_from_db()
    if organization.status == Organization.Status.CLOSED:
        raise OrganizationClosed
    if organization.is_root:
        lots.allot(organization.pk)
    if obstacles := list(_obstacles(organization)):
        raise NotClosable(obstacles)
    if organization.is_root:
        _close_books(organization, now)
    departures.close(organization, now)
    return organization


def _obstacles(organization: Organization) -> Iterator[Obstacle]:
    """A child owes nothing: its root pays for its usage."""
    children = Organization.objects.filter(parent=organization).exclude(status=Organization.Status.CLOSED).count()
    if children:
        text = "An organization beneath it is open. Close it first."
        if children > 1:
            text = filled("%(children)s organizations beneath it are open. Close them first.", children=children)
        yield Obstacle("children_open", text)
    held = Hold.objects.within(organization).filter(status=Hold.Status.OPEN).aggregate(held=Sum("amount"))["held"]
    if held:
        yield Obstacle(
            "credits_held",
            filled("Credits that are held: %(credits)s. Capture or release them first.", credits=plain(held)),
        )
    if organization.is_root:
        yield from _debts(organization)


def _debts(organization: Organization) -> Iterator[Obstacle]:
    account = LedgerAccount.objects.filter(pk=organization.pk).first()
    balance, paid = account.balance if account else ZERO, _left(organization, Grant.Category.PAID)
    dust = _dust(organization)
    if balance <= -dust:
        yield Obstacle(
            "balance_owed", filled("Credits that are owed: %(credits)s. Pay them first.", credits=plain(-balance))
        )
    if paid >= dust:
        yield Obstacle(
            "credits_left",
            filled("Paid credits that are left: %(credits)s. Spend them, or ask us for a refund.", credits=plain(paid)),
        )
    if Payment.objects.of(organization).filter(status__in=Payment.OPEN).exists():
        yield Obstacle("payment_open", "A payment is under way. Wait for its end, or cancel it.")
    if Refund.objects.filter(payment__organization=organization, status=Refund.Status.PENDING).exists():
        yield Obstacle("refund_pending", "A refund is under way. Wait for its end.")
    if Dispute.objects.filter(payment__organization=organization, status__in=Dispute.UNDECIDED).exists():
        yield Obstacle("payment_disputed", "A payment is disputed, and its bank has not decided.")
    if InvoiceState.objects.filter(invoice__organization=organization, status__in=InvoiceState.OWED).exists():
        yield Obstacle("invoice_unpaid", "An invoice is not paid.")


def _left(organization: Organization, category: str) -> Decimal:
    lots_left = Grant.objects.of(organization).filter(category=category, remaining__gt=0)
    return Decimal(lots_left.aggregate(left=Sum("remaining"))["left"] or ZERO)


def _dust(organization: Organization) -> Decimal:
    """The smallest amount that can be paid in money. Smaller debts are ignored."""
    account = BillingAccount.objects.of(organization).first()
    return Decimal(1).scaleb(-minor_units.decimals(account.currency if account and account.currency else "USD"))


def _close_books(organization: Organization, now: datetime) -> None:
    """End everything that would charge or give something. Promotional credits, and amounts too small to be paid, are
    written off.
    """
    live = Subscription.objects.of(organization).live().select_related("plan", "organization").first()
    if live:
        subscriptions.end(live, now, "organization_closed", events.origin.actor())
    balance = LedgerAccount.objects.get(pk=organization.pk).balance
    if balance:
        posting.post(
            organization.pk,
            kind=LedgerEntry.Kind.EXPIRY if balance > 0 else LedgerEntry.Kind.ADJUSTMENT,
            amount=-balance,
            now=now,
            description="Written off: the organization is closed",
        )
    if accounts.find(organization):
        accounts.close(organization, now=now)
    for method in PaymentMethod.objects.of(organization).order_by("is_default", "pk"):  # none becomes the next default
        methods.remove_here(method)
    reason = "The organization is closed"
    thresholds.set_credit_limit(organization.pk, credit_limit=ZERO, reason=reason, actor="", now=now)
    LedgerAccount.objects.filter(pk=organization.pk).update(closed_at=now)
