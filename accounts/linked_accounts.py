"""Sign-ins elsewhere, and the accounts here that they are linked to.

An account is linked with both proofs: the person is signed in here, and at the provider. An address that a provider
names never gives access to an existing account. At most it creates a new one, if we trust the provider that the address
is theirs.
"""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from accounts import accepting, emails, people, second_factors, sign_ins
from accounts.lib import languages, timezones
from accounts.lib.problems import Conflict, NotFound
from accounts.models import LinkedAccount, User
from accounts.providers import registry
from accounts.providers.identities import Identity
from accounts.providers.registry import Provider
from accounts.sign_ins import Current

LINKED = gettext_noop(
    "%(provider)s signs you in from now on.\n\n"
    "If it was not you, choose another password and look at the page Security."
)
REMOVED = gettext_noop(
    "%(provider)s does not sign you in any more.\n\n"
    "If it was not you, choose another password and look at the page Security."
)


class AccountExists(Conflict):
    """There is an account with this address, to which nobody at this provider is linked."""

    code = "account_exists"
    detail = "There is an account with this address already. Sign in to it, and link it on the page Security."


class AddressNotProved(Conflict):
    """The provider does not say that the address is the person's, or we don't take its word for it."""

    code = "provider_address_not_proved"
    detail = "The provider did not prove your email address. Create an account first, and link it on the page Security."


class LinkedElsewhere(Conflict):
    """Another account here is linked to this one."""

    code = "linked_elsewhere"
    detail = "This account is linked to another person here."


class LastWayIn(Conflict):
    """Without a password or a passkey, the person could not sign in any more."""

    code = "last_way_in"
    detail = "You could not sign in any more. Choose a password or add a passkey first."


def user_of(provider: Provider, identity: Identity, *, invitation: str, zone: str, now: datetime) -> tuple[User, bool]:
    """Who signs in, and whether their account is new."""
    rows = LinkedAccount.objects.filter(provider=provider.id, subject=identity.subject)
    linked = rows.select_related("user").first()
    if linked:
        rows.update(last_used_at=now)
        return linked.user, False
    if not identity.is_proved:
        raise AddressNotProved
    try:
        return _sign_up(provider, identity, invitation, zone, now), True
    except people.EmailTaken as error:
        raise AccountExists from error


@transaction.atomic
def _sign_up(provider: Provider, identity: Identity, invitation: str, zone: str, now: datetime) -> User:
    zone = zone if zone in timezones.names() else "UTC"
    user = User(email=identity.email, name=identity.name, timezone=zone, email_verified_at=now)
    user.language = languages.of_page()
    user.set_unusable_password()
    if invitation:
        accepting.sign_up(user, invitation)
    else:
        people.sign_up(user)
    _link(user, provider, identity, now)
    return user


@transaction.atomic
def link(user: User, provider: Provider, identity: Identity, now: datetime) -> None:
    """Link it to the person who is signed in. Linking it twice changes nothing."""
    linked = LinkedAccount.objects.filter(provider=provider.id, subject=identity.subject).first()
    if linked and linked.user_id != user.pk:
        raise LinkedElsewhere
    if linked is None:
        _link(user, provider, identity, now)
        _email(user, LINKED, provider.name)


def _link(user: User, provider: Provider, identity: Identity, now: datetime) -> None:
    row = LinkedAccount(user=user, provider=provider.id, subject=identity.subject, created_at=now)
    row.label = identity.email or identity.name
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "linked_account_once" not in str(error):
            raise
        raise LinkedElsewhere from error
    people.tell(user, "linked_account.added", {"provider": provider.id})


@transaction.atomic
def unlink(user: User, id: UUID, current: Current, now: datetime) -> LinkedAccount:
    """Ends a link and all other sign-ins, unless it is the person's last way to sign in.

    There's a race: two requests could each leave the other's link. So the person is locked.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    row = LinkedAccount.objects.filter(user=user, pk=id).first()
    if row is None:
        raise NotFound("There is no such link.")
    left = LinkedAccount.objects.filter(user=user).exclude(pk=row.pk).values_list("provider", flat=True)
    if not (user.has_usable_password() or second_factors.has_passkey(user) or any(map(registry.find, left))):
        raise LastWayIn
    row.delete()
    sign_ins.end_others(user, current, now)
    people.tell(user, "linked_account.removed", {"provider": row.provider})
    _email(user, REMOVED, name_of(row.provider))
    return row


def name_of(id: str) -> str:
    provider = registry.find(id)
    return provider.name if provider else "A provider that is not set up any more"


def _email(user: User, body: str, provider: str) -> None:
    emails.write(gettext_noop("How you sign in has changed"), body, to=user.email, facts={"provider": provider})
