"""The organization tree: changing, suspending, resuming and moving a subtree.

There's a race: two concurrent moves could make a cycle. So every change of a tree locks its root first and reads the
paths under that lock; the second move then sees the first.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Case, F, Func, Value, When
from django.utils import timezone

from accounts import events, naming, people
from accounts.access import OrganizationClosed, check_unclosed, require
from accounts.credentials import Credential
from accounts.lib.problems import Conflict, Forbidden
from accounts.lib.sentences import filled
from accounts.models import Organization
from accounts.models.organizations import MAX_DEPTH, OrganizationQuerySet

ADMINISTER = "account:write"
PERSONAL = frozenset({"name", "external_id"})  # by default an organization has the name of a person
Status = Organization.Status
Suspension = Organization.Suspension


class OperatorRequired(Forbidden):
    """Only the company suspends or resumes a root organization."""

    code = "operator_required"
    detail = "Only the operator suspends or resumes a root organization."


class ParentRequired(Forbidden):
    """A suspended organization can only be resumed from above."""

    code = "parent_required"
    detail = "Only someone who administers the parent may resume an organization."


class OrganizationUnpaid(Conflict):
    """Only paying lifts a suspension for an unpaid invoice."""

    code = "organization_unpaid"
    detail = "The organization is suspended until its invoices are paid."


class RootStays(Conflict):
    """A root pays for its tree, so it can't get a parent."""

    code = "root_organization"
    detail = "A root organization can't be moved."


class AnotherPayer(Conflict):
    """The two organizations have different roots, and so different payers."""

    code = "another_payer"
    detail = "An organization can only move within the tree of its payer."


class Cycle(Conflict):
    """The new parent is the organization itself or one beneath it."""

    code = "cycle"
    detail = "An organization can't be beneath itself."


class TooDeep(Conflict):
    """The tree would become too deep."""

    code = "too_deep"
    detail = filled("Organizations nest at most %(most)s deep.", most=MAX_DEPTH)


@transaction.atomic
def change(organization: Organization, changes: Mapping[str, Any]) -> Organization:
    """Write only the named fields, so that a concurrent suspension or move isn't lost."""
    row = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = {name: getattr(row, name) for name in changes}
    for name, value in changes.items():
        setattr(organization, name, value)
    if changes:
        now = timezone.now()
        organization.modified_at = now
        with people.unique_external_id(changes.get("external_id", "")):
            organization.save(update_fields=[*changes, "modified_at"])
        events.record_change(
            row.pk, "organization.changed", before, changes, now, targets=[row.public_id], personal=PERSONAL
        )
    return organization


@transaction.atomic
def suspend(organization: Organization, *, by: Credential, reason: str = "") -> Organization:
    """Stop the organization and all beneath it, from the next request on. A second call changes nothing.

    Only someone who administers it or its parent may do it, or the operator.
    """
    _check_root(organization, by)
    check_administers(organization, by)
    return _suspend(organization, Suspension.MANUAL, timezone.now(), reason=reason)


@transaction.atomic
def resume(organization: Organization, *, by: Credential) -> Organization:
    """Undo a suspension. Only someone who administers the parent may do it: nobody frees themselves.

    `OrganizationUnpaid` if nobody but an unpaid invoice suspended it.
    """
    _check_root(organization, by)
    if not (by.is_platform or administers_parent(organization, by)):
        raise ParentRequired
    if Organization.objects.filter(pk=organization.pk, suspended_for=[Suspension.UNPAID]).exists():
        raise OrganizationUnpaid
    return _resume(organization, Suspension.MANUAL, timezone.now())


@transaction.atomic
def suspend_unpaid(organization: Organization, invoice: str, now: datetime) -> None:
    """Suspend it because an invoice was not paid. Only paying lifts it."""
    _suspend(organization, Suspension.UNPAID, now, reason=f"{invoice} is unpaid")


@transaction.atomic
def resume_paid(organization: Organization, now: datetime) -> None:
    """Lift the suspension for unpaid invoices. A suspension for another reason stays."""
    if Organization.objects.filter(pk=organization.pk, suspended_for__contains=[Suspension.UNPAID]).exists():
        _resume(organization, Suspension.UNPAID, now)


def check_administers(organization: Organization, by: Credential) -> None:
    """Refuse everyone who administers neither the organization nor its parent."""
    if not administers_parent(organization, by):
        require(naming.standing(by, organization), ADMINISTER)


def _check_root(organization: Organization, by: Credential) -> None:
    if by.is_platform:
        require(by, ADMINISTER)
    elif organization.is_root:
        raise OperatorRequired


def administers_parent(organization: Organization, by: Credential) -> bool:
    """An API key of the organization itself never does, whoever made it: nothing reaches up."""
    parent = naming.visible_to(by).filter(children=organization).first()
    return parent is not None and ADMINISTER in naming.standing(by, parent).scopes


def _suspend(organization: Organization, cause: str, now: datetime, *, reason: str) -> Organization:
    rows = Organization.objects.exclude(suspended_for__contains=[cause])
    causes = Func(F("suspended_for"), Value(cause), function="array_append", output_field=_causes())
    if _change(rows, organization, status=Status.SUSPENDED, suspended_for=causes, **_modified(cause, now)):
        _tell(organization, "organization.suspended", now, reason=reason)
    return organization


def _resume(organization: Organization, cause: str, now: datetime) -> Organization:
    """Remove this cause of a suspension. If there is another one, the organization stays suspended."""
    rows = Organization.objects.filter(status=Status.SUSPENDED)
    causes = Func(F("suspended_for"), Value(cause), function="array_remove", output_field=_causes())
    is_last = When(suspended_for__contained_by=[cause], then=Value(Status.ACTIVE))
    status = Case(is_last, default=F("status"))
    changed = _change(rows, organization, status=status, suspended_for=causes, **_modified(cause, now))
    if changed and organization.status == Status.ACTIVE:
        _tell(organization, "organization.resumed", now)
    return organization


def _modified(cause: str, now: datetime) -> dict[str, datetime]:
    """Only changes by people count as a modification, not a suspension for an unpaid invoice."""
    return {"modified_at": now} if cause == Suspension.MANUAL else {}


def _causes() -> ArrayField[Any, Any]:
    return ArrayField(models.CharField(max_length=6))


def _change(rows: OrganizationQuerySet, organization: Organization, **changes: Any) -> bool:
    """Change the organization if it is one of `rows`, and return whether it was. A closed one can't be changed."""
    changed = rows.filter(pk=organization.pk).exclude(status=Status.CLOSED).update(**changes)
    organization.refresh_from_db(fields=["status", "suspended_for"])
    if organization.status == Status.CLOSED:
        raise OrganizationClosed
    return bool(changed)


def _tell(organization: Organization, type: str, now: datetime, **data: str) -> None:
    described = {**data, "actor": events.origin.actor().id}
    events.record(organization.pk, type, described, now, targets=[organization.public_id])


@transaction.atomic
def move(organization: Organization, *, parent: str, by: Credential, address: str) -> Organization:
    """Move the organization, with everything beneath it, to another parent with the same root.

    The caller must administer the organization, its new parent, and the topmost ancestor that loses it. The network
    policy of the new parent must admit `address`, unless the caller is the operator.
    """
    Organization.objects.lock(organization.root_id)
    node = Organization.objects.get(pk=organization.pk)
    target = naming.named(by, address, public_id=parent)
    for concerned in (node, target, *_losers(node, target)[:1]):
        require(naming.standing(by, concerned), ADMINISTER)
    check_unclosed(node)
    check_unclosed(target)
    _check_move(node, target)
    _rewrite(node, target)
    parents = Organization.objects.in_bulk([*node.path[-2:-1], target.pk])
    before, after = ({"parent": parents[pk].public_id} for pk in (node.path[-2], target.pk))
    events.record_change(node.pk, "organization.moved", before, after, timezone.now(), targets=[node.public_id])
    return Organization.objects.select_related("parent").get(pk=node.pk)


def _check_move(node: Organization, target: Organization) -> None:
    if node.is_root:
        raise RootStays
    if target.root_id != node.root_id:
        raise AnotherPayer
    if node.pk in target.path:
        raise Cycle
    depths = [len(path) for path in Organization.objects.within(node).values_list("path", flat=True)]
    if len(target.path) + max(depths) - len(node.path) + 1 > MAX_DEPTH:
        raise TooDeep


def _losers(node: Organization, target: Organization) -> list[Organization]:
    """The ancestors that will no longer be above the node, topmost first. Whoever administers the topmost administers
    all of them.
    """
    lost = set(node.path[:-1]) - set(target.path)
    return sorted(Organization.objects.filter(pk__in=lost), key=lambda organization: len(organization.path))


def _rewrite(node: Organization, target: Organization) -> None:
    """Write the paths of the whole subtree and the node's parent in one statement, so no reader sees half of a move."""
    paths = ArrayField(models.UUIDField())
    kept = Func(F("path"), template=f"(%(expressions)s)[{len(node.path)}:]", output_field=paths)
    above = Value(target.path, output_field=paths)
    Organization.objects.within(node).update(
        path=Func(above, kept, function="array_cat", output_field=paths),
        parent=Case(When(pk=node.pk, then=Value(target.pk)), default=F("parent")),
    )
