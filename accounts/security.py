"""What organizations ask of those who work in them. An ancestor's policy is the minimum for all beneath it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator
from django.db import transaction
from django.forms import model_to_dict
from django.utils import timezone

from accounts import events
from accounts.lib import addresses, mailboxes
from accounts.lib.problems import Conflict, Forbidden
from accounts.models import Organization, SecurityPolicy

LONGEST_KEY_LIFE_DAYS = 36_500


class NetworkNotAllowed(Forbidden):
    """The request's address is outside the networks that the organization, or one above it, allows."""

    code = "network_not_allowed"
    detail = "The organization does not allow requests from this address."


class TwoFactorUnavailable(Conflict):
    """There is no second factor yet, so asking for one would lock everyone out."""

    code = "two_factor_unavailable"
    detail = "Two-factor authentication is not available yet, so it can't be required."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/require_two_factor", "detail": self.detail}])


class LocksOutCaller(Conflict):
    """The change would refuse the caller's own next request."""

    code = "locks_out_caller"

    def __init__(self, address: str) -> None:
        detail = f"Your own address, {address or 'unknown'}, is in none of these networks."
        super().__init__(detail, errors=[{"pointer": "/allowed_networks", "detail": detail}])


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

    def admits_address(self, address: str) -> bool:
        return all(addresses.within(address, networks) for networks in self.networks)

    def admits_email(self, email: str) -> bool:
        name = mailboxes.normalize(email).rpartition("@")[2]
        return all(name in names for names in self.email_domains)


def effective(organization: Organization) -> Effective:
    """The policies of the organization and of all above it, in one query."""
    policies = list(SecurityPolicy.objects.filter(organization__in=organization.path))
    policies.sort(key=lambda policy: organization.path.index(policy.organization_id))
    lives = [policy.longest_key_life_days for policy in policies if policy.longest_key_life_days]
    return Effective(
        require_two_factor=any(policy.require_two_factor for policy in policies),
        networks=tuple(tuple(policy.allowed_networks) for policy in policies if policy.allowed_networks),
        email_domains=tuple(tuple(policy.allowed_email_domains) for policy in policies if policy.allowed_email_domains),
        longest_key_life=timedelta(days=min(lives)) if lives else None,
    )


def longest_key_life(organization: Organization) -> timedelta | None:
    """How long a new API key may live. None means for ever."""
    return effective(organization).longest_key_life


def check_address(organization: Organization, address: str) -> None:
    """Refuse an address that the organization, or one above it, does not allow."""
    if not effective(organization).admits_address(address):
        raise NetworkNotAllowed


def email_domain(text: str) -> str:
    """A domain in the form that a policy keeps. `ValueError` if it isn't one."""
    try:
        name = mailboxes.domain(text.strip().removeprefix("@"))
        DomainNameValidator(accept_idna=False)(name)
    except (ValueError, ValidationError) as error:
        raise ValueError(f"{text[:100]!r} is not a domain, such as example.com.") from error
    return name


def policy_of(organization: Organization) -> SecurityPolicy:
    """The organization's own policy. If it never set one, an unsaved policy that asks for nothing."""
    stored = SecurityPolicy.objects.of(organization).first()
    return stored or SecurityPolicy(organization=organization)


@transaction.atomic
def change(organization: Organization, changes: Mapping[str, Any], *, address: str) -> SecurityPolicy:
    """Change the named fields of the organization's own policy, unless that locks out the caller at `address`."""
    if changes.get("require_two_factor"):
        raise TwoFactorUnavailable
    networks = changes.get("allowed_networks")
    if networks and not addresses.within(address, networks):
        raise LocksOutCaller(address)
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
    return policy
