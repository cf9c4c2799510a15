"""Visits: an operator sees a customer's pages as its owner does, and can't change anything.

A visit belongs to one session of one operator, ends by itself, and reaches the customer's tree. Each request checks
again whether the operator may still visit customers, and has shown a second factor.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import events, scopes
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Forbidden
from accounts.models import Organization, User, Visit
from accounts.models.visits import LONGEST_VISIT

PERMISSION = "accounts.visit_customer"
SHOWN_FOR = timedelta(days=30)  # to the customer, on its overview


class VisitNotAllowed(Forbidden):
    """The operator lacks the right to visit customers."""

    code = "visit_not_allowed"
    detail = "You may not visit customers."


@transaction.atomic
def start(organization: Organization, *, operator: User, reason: str, now: datetime) -> Visit:
    """Begin a visit of a root organization. Another one of the same operator ends."""
    if not may_visit(operator):
        raise VisitNotAllowed
    User.objects.select_for_update(no_key=True).get(pk=operator.pk)
    for earlier in Visit.objects.filter(operator=operator, ended_at=None):
        end(earlier, now)
    visit = Visit.objects.create(
        organization=organization, operator=operator, reason=reason, started_at=now, expires_at=now + LONGEST_VISIT
    )
    _tell(visit, "visit.started", now, reason=reason, expires_at=events.plain(visit.expires_at))
    return visit


@transaction.atomic
def end(visit: Visit, now: datetime) -> None:
    """End it early. A visit that is over doesn't change."""
    if Visit.objects.filter(pk=visit.pk, ended_at=None).update(ended_at=min(now, visit.expires_at)):
        _tell(visit, "visit.ended", now)


def may_visit(operator: User) -> bool:
    return operator.is_active and operator.is_staff and operator.has_perm(PERMISSION)


def live(pk: UUID, operator: User, now: datetime) -> Visit | None:
    """The operator's visit, if it goes on."""
    visit = Visit.objects.select_related("organization").filter(pk=pk, operator=operator).first()
    return visit if visit and visit.is_live(now) and may_visit(operator) else None


def recent(organization: Organization, now: datetime) -> list[Visit]:
    """The last visits of the organization's tree, shown to the customer."""
    visits = Visit.objects.filter(organization=organization.root_id, started_at__gt=now - SHOWN_FOR)
    return list(visits.order_by("-started_at")[:3])


def reached(visit: Visit, public_id: str) -> Organization | None:
    """The organization of the visited tree that has this id."""
    return Organization.objects.within(visit.organization).filter(public_id=public_id).first()


def credential(visit: Visit, organization: Organization) -> Credential:
    """What the operator may do in the visited tree: read. No policy of the customer binds them."""
    return Credential(
        kind=Kind.VISIT,
        id=f"user:{visit.operator_id}",
        user=visit.operator,
        organization=organization,
        timezone=visit.operator.timezone,
        cap=scopes.READS,
        held=scopes.READS,
        is_operational=organization.is_operational,
    )


def _tell(visit: Visit, type: str, now: datetime, **data: object) -> None:
    actor = events.Actor("operator", f"user:{visit.operator_id}")
    described = {**data, "actor": actor.id}
    targets = [visit.organization.public_id]
    events.record(visit.organization_id, type, described, now, actor=actor, targets=targets)
