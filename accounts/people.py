"""Signing up, and the organization that a person currently works in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts import events
from accounts.access import check_unclosed
from accounts.lib.problems import Conflict, NotFound, Problem
from accounts.lib.sentences import filled
from accounts.models import Membership, Organization, User
from accounts.models.organizations import MAX_DEPTH


class EmailTaken(Problem):
    """The address has an account already."""

    status = 409
    code = "email_taken"
    detail = "This email has an account already."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/email", "detail": self.detail}])


@transaction.atomic
def sign_up(user: User, *, organization_name: str = "") -> Organization:
    """Save a new user with an organization that the user owns and that is current. By default it has their name."""
    register(user)
    name = organization_name or user.name or user.email[:100]
    organization = Organization.objects.create_root(name=name, timezone=user.timezone)
    Membership.objects.create(organization=organization, user=user, role=Membership.Role.OWNER)
    switch(user, organization)
    founder = events.Actor.of_person(user.pk)
    _tell_created(organization, None, founder)
    return organization


def register(user: User) -> None:
    """Save a new user, without an organization. `EmailTaken` if the address has an account."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        if "accounts_user_email" not in str(error):
            raise
        raise EmailTaken from error


def switch(user: User, organization: Organization) -> None:
    """Make `organization` the one that the user's next tokens are for."""
    User.objects.filter(pk=user.pk).update(current_organization=organization)
    user.current_organization = organization


def current_organization(user: User) -> Organization | None:
    """The remembered organization if the user still sees it, else another one that they see. None if there is none."""
    visible = Organization.objects.visible_to(user)
    remembered = visible.filter(pk=user.current_organization_id).first() if user.current_organization_id else None
    return remembered or visible.order_by("created_at", "pk").first()


def visible_organization(user: User, public_id: str) -> Organization:
    """The organization with this id. `NotFound` if the user may not see it."""
    organization = Organization.objects.visible_to(user).filter(public_id=public_id).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


class ExternalIdTaken(Conflict):
    """The company has given this id of its own to another organization."""

    code = "external_id_taken"
    detail = "Another organization has this external_id."


@contextmanager
def unique_external_id(external_id: str) -> Iterator[None]:
    """Within this block an organization gets this id. If it is taken, the error names the organization that has it."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "organization_external_id" not in str(error):
            raise
        holder = Organization.objects.filter(external_id=external_id).first()
        raise ExternalIdTaken(organization=holder.public_id if holder else None) from error


@transaction.atomic
def add_root(*, name: str, timezone: str = "UTC", external_id: str = "") -> Organization:
    """A new customer, without people."""
    with unique_external_id(external_id):
        root = Organization.objects.create_root(name=name, timezone=timezone, external_id=external_id)
    _tell_created(root, None)
    return root


@transaction.atomic
def add_child(parent: Organization, *, name: str, timezone: str = "", external_id: str = "") -> Organization:
    """A new organization beneath `parent`, by default in the parent's time zone.

    There's a race here: if the parent were moved meanwhile, the child would get the old path, and if it were closed, an
    open organization would be beneath it. So the root is locked.
    """
    Organization.objects.lock(parent.root_id)
    parent = Organization.objects.get(pk=parent.pk)
    check_unclosed(parent)
    if len(parent.path) >= MAX_DEPTH:
        raise Conflict(filled("Organizations nest at most %(most)s deep.", most=MAX_DEPTH))
    with unique_external_id(external_id):
        child = Organization.objects.create_child(parent, name=name, timezone=timezone, external_id=external_id)
    _tell_created(child, parent.public_id)
    return child


def _tell_created(organization: Organization, parent: str | None, actor: events.Actor | None = None) -> None:
    data, targets = {"parent": parent}, [organization.public_id]
    events.record(organization.pk, "organization.created", data, now(), actor=actor, targets=targets)


def tell(user: User, type: str, data: Mapping[str, Any]) -> None:
    """Record a change that a person made to their account, in every organization in which they have a role."""
    for organization in user.memberships.values_list("organization_id", flat=True):
        person = events.Actor.of_person(user.pk)
        events.record(organization, type, data, now(), actor=person, targets=[str(person.id)])


def tell_sign_in(user: User, organization: Organization | None, verb: str, method: str) -> None:
    """Records `sign_in.started`, `ended` or `switched` where the person works. Without an organization nowhere."""
    if organization:
        person = events.Actor.of_person(user.pk)
        targets = [str(person.id)]
        events.record(organization.pk, f"sign_in.{verb}", {"method": method}, now(), actor=person, targets=targets)
