"""Security policies: what organizations require of their people. A policy is the minimum for everything beneath it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator
from django.db import transaction
from django.forms import model_to_dict
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import events, second_factors
from accounts.credentials import Credential, Kind
from accounts.lib import addresses, instances, mailboxes, sql
from accounts.lib.problems import Conflict, Forbidden
from accounts.lib.sentences import filled
from accounts.models import IdentityProvider, LinkedAccount, Membership, Organization, SecurityPolicy, User

POLICIES = sql.compose(
    "SELECT {policy} FROM accounts_securitypolicy AS policy WHERE policy.organization_id = ANY(%(path)s)",
    policy=instances.columns(SecurityPolicy, "policy"),
)
LONGEST_KEY_LIFE_DAYS = 36_500
LONGEST_SESSION_HOURS = 8_760
SSO = "sso"  # the organization's own provider
METHOD_NAMES = {
    "password": gettext_lazy("Password"),
    "passkey": gettext_lazy("Passkey"),
    "google": "Google",
    "github": "GitHub",
    "microsoft": "Microsoft",
    "oidc": gettext_lazy("The installation's own provider"),
    SSO: gettext_lazy("The organization's own provider"),
}
METHODS = tuple(METHOD_NAMES)
OF_PEOPLE = (Kind.TOKEN, Kind.SESSION)


class NetworkNotAllowed(Forbidden):
    """The request's address is outside the networks that the organization, or one above it, allows."""

    code = "network_not_allowed"
    detail = "The organization does not allow requests from this address."


class TwoFactorNeeded(Forbidden):
    """The organization, or one above it, asks for a second factor, and this sign-in or the key's maker has none."""

    code = "two_factor_required"
    detail = "The organization requires a second factor. Add one, and sign in with it."


class SessionTooOld(Forbidden):
    """The sign-in is older than the organization, or one above it, allows."""

    code = "session_too_old"
    detail = "The organization asks you to sign in again."


class SignInMethodNotAllowed(Forbidden):
    """The organization, or one above it, allows other ways to sign in."""

    code = "sign_in_method_not_allowed"
    detail = "The organization does not allow this way to sign in."


class LocksOutCaller(Conflict):
    """The change would refuse the caller's own next request."""

    code = "locks_out_caller"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, errors=[{"pointer": f"/{field}", "detail": detail}])


@dataclass(frozen=True)
class Effective:
    """The policies from the root down to an organization, taken together.

    An address must be in one network of each list, an email in one domain of each. Empty lists are left out: they ask
    for nothing.
    """

    require_two_factor: bool
    networks: tuple[tuple[str, ...], ...]
    email_domains: tuple[tuple[str, ...], ...]
    longest_key_life: timedelta | None
    longest_session: timedelta | None
    sign_in_methods: tuple[tuple[str, ...], ...]

    def check(self, credential: Credential, address: str, now: datetime) -> None:
        """Refuse a credential, or the address that it is used from."""
        if not self.admits_address(address):
            raise NetworkNotAllowed
        if self.require_two_factor and not _has_factor(credential):
            raise TwoFactorNeeded
        if credential.sign_in_method and not self.admits_method(credential.sign_in_method):
            raise SignInMethodNotAllowed
        began = credential.signed_in_at
        if (
            self.longest_session
            and credential.kind in OF_PEOPLE
            and (began is None or began + self.longest_session <= now)
        ):
            raise SessionTooOld

    def admits_method(self, method: str) -> bool:
        return all(method in methods for methods in self.sign_in_methods)

    def admits_address(self, address: str) -> bool:
        return all(addresses.within(address, networks) for networks in self.networks)

    def admits_email(self, email: str) -> bool:
        name = mailboxes.normalize(email).rpartition("@")[2]
        return all(name in names for names in self.email_domains)


def effective(organization: Organization) -> Effective:
    """The policies of the organization and of all above it, in one query."""
    policies = [policy for (policy,) in instances.read(POLICIES, {"path": organization.path}, SecurityPolicy)]
    policies.sort(key=lambda policy: organization.path.index(policy.organization_id))
    lives = [policy.longest_key_life_days for policy in policies if policy.longest_key_life_days]
    hours = [policy.longest_session_hours for policy in policies if policy.longest_session_hours]
    return Effective(
        require_two_factor=any(policy.require_two_factor for policy in policies),
        networks=tuple(tuple(policy.allowed_networks) for policy in policies if policy.allowed_networks),
        email_domains=tuple(tuple(policy.allowed_email_domains) for policy in policies if policy.allowed_email_domains),
        longest_key_life=timedelta(days=min(lives)) if lives else None,
        longest_session=timedelta(hours=min(hours)) if hours else None,
        sign_in_methods=tuple(_methods(organization, policy) for policy in policies if policy.sign_in_methods),
    )


def _methods(organization: Organization, policy: SecurityPolicy) -> tuple[str, ...]:
    """The methods, with `sso` replaced by the ids of the providers of the policy's organization and of all above it."""
    if SSO not in policy.sign_in_methods:
        return tuple(policy.sign_in_methods)
    above = organization.path[: organization.path.index(policy.organization_id) + 1]
    own = IdentityProvider.objects.filter(organization__in=above, is_enabled=True)
    return (*policy.sign_in_methods, *(provider.public_id for provider in own))


def has_allowed_method(user: User, organization: Organization) -> bool:
    """Whether the person has a way to sign in that the organization allows. Everyone can choose a password by email."""
    linked = LinkedAccount.objects.filter(user=user).values_list("provider", flat=True)
    methods = {"password", *linked, *(["passkey"] if second_factors.has_passkey(user) else [])}
    return any(map(effective(organization).admits_method, methods))


def longest_key_life(organization: Organization) -> timedelta | None:
    """How long a new API key may live. None means for ever."""
    return effective(organization).longest_key_life


def check(credential: Credential, organization: Organization, address: str) -> None:
    """Refuse what the organization, or one above it, does not allow. No policy binds the operator's keys."""
    if not credential.is_platform:
        effective(organization).check(credential, address, timezone.now())


def _has_factor(credential: Credential) -> bool:
    """A sign-in must have used one. For a key, its creator must have one."""
    if credential.kind in OF_PEOPLE:
        return credential.second_factor
    return credential.user is None or credential.user.is_service or second_factors.is_enrolled(credential.user)


def people_without_factor(organization: Organization) -> int:
    """How many people with a role in the organization or beneath it have no second factor."""
    within = Organization.objects.within(organization)
    members = Membership.objects.filter(organization__in=within, user__is_service=False)
    return members.exclude(user__in=second_factors.enrolled()).values("user").distinct().count()


def requires_factor(user: User) -> bool:
    """Whether an organization that the person belongs to asks for a second factor."""
    return any(effective(membership.organization).require_two_factor for membership in user.memberships.all())


def email_domain(text: str) -> str:
    """A domain in the form that a policy keeps. `ValueError` if it isn't one."""
    try:
        name = mailboxes.domain(text.strip().removeprefix("@"))
        DomainNameValidator(accept_idna=False)(name)
    except (ValueError, ValidationError) as error:
        raise ValueError(filled("%(text)r is not a domain, such as example.com.", text=text[:100])) from error
    return name


def policy_of(organization: Organization) -> SecurityPolicy:
    """The organization's own policy. If it never set one, an unsaved policy that asks for nothing."""
    stored = SecurityPolicy.objects.of(organization).first()
    return stored or SecurityPolicy(organization=organization)


@transaction.atomic
def change(organization: Organization, changes: Mapping[str, Any], *, by: Credential, address: str) -> SecurityPolicy:
    """Change the named fields of the organization's own policy, unless that locks out the caller at `address`."""
    Organization.objects.lock(organization.pk)
    before = model_to_dict(policy_of(organization), changes)
    policy, _ = SecurityPolicy.objects.update_or_create(organization=organization, defaults=dict(changes))
    events.record_change(
        organization.pk,
        "security_policy.changed",
        before,
        changes,
        timezone.now(),
        targets=[organization.public_id],
    )
    _check_caller(organization, changes, by, address)
    return policy


FIELDS = {
    NetworkNotAllowed: ("allowed_networks", "Your own address, {address}, is in none of these networks."),
    TwoFactorNeeded: ("require_two_factor", "You have not signed in with a second factor yourself."),
    SessionTooOld: ("longest_session_hours", "Your own sign-in is older than that."),
    SignInMethodNotAllowed: ("sign_in_methods", "You have signed in by another method yourself."),
}


def _check_caller(organization: Organization, changes: Mapping[str, Any], by: Credential, address: str) -> None:
    """Refuse a change that refuses the caller's next request: the transaction is rolled back."""
    try:
        check(by, organization, address)
    except tuple(FIELDS) as refusal:
        field, detail = FIELDS[type(refusal)]
        if field in changes:
            raise LocksOutCaller(field, detail.format(address=address or "unknown")) from refusal
