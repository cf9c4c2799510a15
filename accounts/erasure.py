"""Erasing a person: everything that identifies them is removed, and only their id stays in the ledger and the events.

A person may come back for 14 days. Events keep ids and digests only, so their chain stays valid.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import CASCADE, Q
from django.urls import reverse
from django.utils.translation import gettext_noop

from accounts import emails, members, people, sign_in_limits, sign_ins
from accounts.lib.problems import Conflict
from accounts.lib.sentences import filled
from accounts.models import (
    Email,
    EmailChange,
    EmailCode,
    Event,
    IdempotencyRecord,
    Invitation,
    Membership,
    Organization,
    PersonalData,
    User,
)

GRACE = timedelta(days=14)
NAME = "Former member"
NOWHERE = "former.invalid"  # RFC 2606: no such domain will ever exist
BATCH = 1000


class SoleOwner(Conflict):
    """The organization needs another owner first, or has to be closed."""

    code = "sole_owner"

    def __init__(self, organizations: Iterable[Organization]) -> None:
        named = [{"id": row.public_id, "name": row.name} for row in organizations]
        names = ", ".join(row["name"] for row in named)
        super().__init__(
            filled("Hand over or close what you alone own first: %(names)s.", names=names), organizations=named
        )


class OperatorStays(Conflict):
    """Another operator has to remove the operator's rights first."""

    code = "operator_not_erasable"
    detail = "An operator can't be erased. Take their operator rights away first."


def owned_alone(user: User) -> list[Organization]:
    """The open root organizations of which the person is the only owner."""
    owners = Membership.objects.filter(role=Membership.Role.OWNER, user__is_active=True)
    roots = Organization.objects.unclosed().filter(parent=None, memberships__in=owners.filter(user=user))
    return [root for root in roots.order_by("name", "pk") if not owners.filter(organization=root).exclude(user=user)]


def check(user: User) -> None:
    if user.is_staff or user.is_superuser:
        raise OperatorStays
    if alone := owned_alone(user):
        raise SoleOwner(alone)


@transaction.atomic
def request(user: User, now: datetime) -> datetime:
    """The person will be erased in 14 days. Their sign-ins end now; if they sign in again, they can take it back."""
    check(user)
    user.erase_at = now + GRACE
    user.save(update_fields=["erase_at"])
    sign_ins.end_others(user, sign_ins.Current(), now)
    people.tell(user, "user.erasure_requested", {"user": user.pk})
    body = gettext_noop(
        "You asked us to erase your account %(email)s. We will do it on %(day)s. If you want to keep it, sign in here:"
    )
    _write(user, gettext_noop("Your account will be erased"), body, day=user.erase_at.date())
    return user.erase_at


@transaction.atomic
def take_back(user: User) -> bool:
    """Cancel the erasure. Returns False if it has already begun."""
    stays = User.objects.filter(pk=user.pk, is_active=True)
    if stays.filter(erase_at__isnull=False).update(erase_at=None):
        people.tell(user, "user.erasure_cancelled", {"user": user.pk})
    return stays.exists()


@transaction.atomic
def postpone(user: User, reason: str, now: datetime) -> None:
    """The erasure isn't possible yet. The person is told why, once in 14 days."""
    User.objects.filter(pk=user.pk).update(erase_at=now + GRACE)
    _write(user, gettext_noop("Your account is not erased yet"), "%(reason)s", reason=reason)


def _write(user: User, subject: str, body: str, **facts: Any) -> None:
    page = f"{settings.BASE_URL}{reverse('delete-account')}"
    emails.write(subject, body, page, to=user.email, facts={"email": user.email, **facts})


def forget(user: User, now: datetime) -> None:
    """Erase the personal data of events about an erased person, in batches.

    A run that is killed goes on at the next one, since `erase_at` stays until `erased_at` is set.
    """
    _forget_events(Q(actor__id=f"user:{user.pk}"))
    _forget_events(Q(targets__contains=[f"user:{user.pk}"]))
    _forget_events(Q(context__person=f"user:{user.pk}"))
    User.objects.filter(pk=user.pk, erased_at=None).update(erased_at=now)


@transaction.atomic
def become_nobody(user: User, now: datetime) -> None:
    """Erase everything that identifies the person. The caller has dealt with their API keys; call `forget` next.

    There's a race here: two owners may be erased at once. `members.leave` locks each organization for that.
    """
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check(row)
    people.tell(row, "user.erased", {"user": row.pk})
    for membership in row.memberships.select_related("organization").order_by("organization"):
        members.leave(membership, now)
    _end_sign_ins(row)
    _forget_address(row)
    row.email, row.email_verified_at, row.name, row.timezone = f"{row.pk}@{NOWHERE}", None, NAME, "UTC"
    row.language = ""
    row.current_organization, row.last_login, row.is_active, row.erase_at = None, None, False, row.erase_at or now
    row.set_unusable_password()
    row.save()


def _end_sign_ins(user: User) -> None:
    """Delete everything that would be deleted with the person's row: factors, sign-ins, known networks, linked
    accounts.
    """
    sign_ins.end_others(user, sign_ins.Current(), user.created_at)
    relations: Any = User._meta.get_fields(include_hidden=True)
    for relation in relations:
        is_theirs = relation.auto_created and getattr(relation, "on_delete", None) is CASCADE
        if is_theirs and relation.related_model is not LogEntry:
            relation.related_model._base_manager.filter(**{relation.field.name: user}).delete()


def _forget_address(user: User) -> None:
    """Every row that contains the address, or a recent request of the person."""
    email = user.email
    EmailChange.objects.filter(old=email).delete()
    EmailCode.objects.filter(email=email).delete()
    Email.objects.filter(to=email).delete()
    sign_in_limits.forgive(email)
    invited = Invitation.objects.filter(email=email)
    for pk in invited.values_list("pk", flat=True):
        _forget_events(Q(targets__contains=[Invitation(pk=pk).public_id]))
    invited.delete()
    IdempotencyRecord.objects.filter(credential=f"user:{user.pk}").delete()
    shown = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    shown.update(object_repr=NAME)


def _forget_events(of: Q) -> None:
    """Only the data stored beside the events: the events keep its salted digest, and don't change."""
    kept = PersonalData.objects.filter(event__in=Event.objects.filter(of).values("pk"))
    while ids := list(kept.values_list("pk", flat=True)[:BATCH]):
        PersonalData.objects.filter(pk__in=ids).delete()
