"""Service accounts: members without a sign-in, whose keys go on when a person leaves."""

from datetime import datetime

from django.db import transaction

from accounts import events, members
from accounts.credentials import Credential
from accounts.lib import identifiers
from accounts.lib.problems import InvalidField
from accounts.models import Membership, Organization, ServiceAccount, User

ROLES = [choice for choice in Membership.Role.choices if choice[0] != Membership.Role.OWNER]


@transaction.atomic
def create(
    organization: Organization, *, name: str, role: str, responsible: int | None, by: Credential, now: datetime
) -> ServiceAccount:
    """A new one, with a role that holds nothing that the caller lacks. The caller is responsible if nobody is named."""
    members.check_grant(role, by)
    person = members.of(organization).filter(user=responsible).first() if responsible else None
    if responsible and person is None:
        raise InvalidField("responsible", "There is no such member.")
    user = User(email=f"{identifiers.uuid7().hex}@service.invalid", name=name, is_service=True, email_verified_at=now)
    user.set_unusable_password()
    user.save(force_insert=True)
    Membership.objects.create(organization=organization, user=user, role=role)
    account = ServiceAccount.objects.create(
        organization=organization, user=user, responsible=person.user if person else _person(by), created_at=now
    )
    _tell(account, "created", now, role=role)
    return account


@transaction.atomic
def remove(account: ServiceAccount, now: datetime) -> None:
    """Remove its role. The caller revokes its keys. Removing it again changes nothing."""
    if ServiceAccount.objects.living().filter(pk=account.pk).update(removed_at=now):
        Membership.objects.filter(user=account.user_id).delete()
        User.objects.filter(pk=account.user_id).update(is_active=False)
        _tell(account, "removed", now)


def hand_over(organization: Organization, user_id: int, *, by: Credential | None, now: datetime) -> None:
    """Make another person responsible for the service accounts of one who leaves: the person who removes them, or an
    owner.
    """
    owners = Membership.objects.reaching(organization.path).filter(role=Membership.Role.OWNER)
    heir = owners.exclude(user=user_id).filter(user__is_active=True).select_related("user").first()
    remover = _person(by) if by else None
    person = remover if remover and remover.pk != user_id else heir.user if heir else None
    for account in ServiceAccount.objects.within(organization).living().filter(responsible=user_id):
        account.responsible = person
        account.save(update_fields=["responsible"])
        _tell(account, "handed_over", now, responsible=f"user:{person.pk}" if person else None)


def _person(by: Credential) -> User | None:
    """The person who makes the request; for a service account's key, the person who is responsible for it."""
    account = ServiceAccount.objects.filter(user=by.user).select_related("responsible").first()
    return account.responsible if account else by.user


def _tell(account: ServiceAccount, verb: str, now: datetime, **data: object) -> None:
    named = {"service_account": account.public_id, **data}
    events.record(account.organization_id, f"service_account.{verb}", named, now, targets=[account.public_id])
