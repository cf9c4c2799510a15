"""The clock of a payer: the real time, unless it was moved ahead to try things out.

Every verb about money takes its `now` as an argument, and its callers get it from here. A moved clock goes on at the
usual speed and is never set back; its organization stays marked as a test organization. Every node of the payer's tree
stores how far the clock is ahead, so reading it needs no query.

People, keys, rate limits, webhooks and emails follow the real time.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing.models import GatewayCustomer, LedgerAccount, Payment

SANDBOX = "sandbox"
NOT_MOVED = timedelta(0)


class ClockNotMovable(Conflict):
    """Only an organization that never paid real money can move its clock, and only with the sandbox gateway."""

    code = "clock_not_movable"
    detail = "Clocks can be moved with the sandbox gateway only, by organizations that never paid real money."


def now(organization: Organization) -> datetime:
    """The payer's current time, for any organization in its tree."""
    return at(organization, timezone.now())


def at(organization: Organization, real_now: datetime) -> datetime:
    """The payer's time at the real time `real_now`."""
    return real_now + (organization.clock_ahead or NOT_MOVED)


def now_of(payer: UUID) -> datetime:
    """The payer's current time, for callers that only have its id."""
    return at(Organization.objects.only("clock_ahead").get(pk=payer), timezone.now())


def is_moved(organization: Organization) -> bool:
    """Whether it is a test organization: its clock was moved once."""
    return organization.clock_ahead is not None


def check_movable(organization: Organization) -> None:
    """`ClockNotMovable` if any money of this payer could be real."""
    customers = GatewayCustomer.objects.of(organization).exclude(gateway=SANDBOX)
    payments = Payment.objects.of(organization).exclude(gateway__in=["", SANDBOX])
    if settings.PAYMENT_GATEWAY != SANDBOX or customers.exists() or payments.exists():
        raise ClockNotMovable


@transaction.atomic
def move(payer: UUID, to: datetime) -> None:
    """Set the payer's clock ahead to `to`, unless it is there already, and mark its tree.

    The caller has to run whatever falls due in between.

    There's a race here: a child that is added meanwhile copies its parent's clock. So adding one locks the root first.
    """
    LedgerAccount.objects.select_for_update(no_key=True).filter(pk=payer).first()  # The payer first, as everywhere.
    root = Organization.objects.lock(payer)
    check_movable(root)
    ahead = max(to - timezone.now(), root.clock_ahead or NOT_MOVED)
    Organization.objects.filter(root=root).update(clock_ahead=ahead)
    LedgerAccount.objects.filter(pk=payer, updated_at__lt=to).update(updated_at=to)
