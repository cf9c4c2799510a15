"""The people whom a change of a security policy would lock out, computed before it is made."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from accounts import second_factors, security
from accounts.lib import addresses
from accounts.models import (
    BrowserSession,
    Invitation,
    LinkedAccount,
    Membership,
    Organization,
    SecurityPolicy,
    TokenFamily,
    User,
)

RECENT = timedelta(days=30)
PASSKEY = "passkey"


@dataclass(frozen=True)
class RecentSignIn:
    """A sign-in that was used in the last 30 days."""

    email: str
    network: str
    created_at: datetime


def people(organization: Organization) -> QuerySet[User]:
    """The people with a role in the organization or beneath it."""
    within = Membership.objects.filter(organization__in=Organization.objects.within(organization))
    return User.objects.filter(is_service=False, is_active=True, pk__in=within.values("user")).order_by("email")


def without_factor(organization: Organization) -> QuerySet[User]:
    return people(organization).exclude(pk__in=second_factors.enrolled())


def without_method(organization: Organization, methods: Collection[str]) -> QuerySet[User]:
    """People who can't sign in by any of these methods. Passwords are not considered."""
    linked = Q(provider__in=methods) | (Q(provider__startswith="idp_") if security.SSO in methods else Q())
    able = people(organization).exclude(pk__in=LinkedAccount.objects.filter(linked).values("user"))
    return able.exclude(pk__in=second_factors.enrolled(second_factors.PASSKEY)) if PASSKEY in methods else able


def sign_ins(organization: Organization, now: datetime) -> list[RecentSignIn]:
    """The sign-ins that still work and were used lately."""
    members = people(organization).values("pk")
    sessions = BrowserSession.objects.filter(user__in=members, last_used_at__gt=now - RECENT)
    families = TokenFamily.objects.filter(user__in=members, revoked_at=None, expires_at__gt=now)
    rows = [*sessions.select_related("user"), *families.filter(last_used_at__gt=now - RECENT).select_related("user")]
    return [RecentSignIn(row.user.email, row.network, row.created_at) for row in rows]


def of(organization: Organization, changes: Mapping[str, Any], now: datetime) -> dict[str, list[str]]:
    """By the changed field: the email addresses of those whom its new value would stop, or of those not to be invited.

    A field that nobody would notice has none.
    """
    used = sign_ins(organization, now)
    impact: dict[str, list[str]] = {}
    if changes.get("require_two_factor"):
        impact["require_two_factor"] = list(without_factor(organization).values_list("email", flat=True))
    if networks := changes.get("allowed_networks"):
        impact["allowed_networks"] = _emails(row for row in used if not _is_within(row.network, networks))
    if hours := changes.get("longest_session_hours"):
        oldest = now - timedelta(hours=hours)
        impact["longest_session_hours"] = _emails(row for row in used if row.created_at <= oldest)
    if (methods := changes.get("sign_in_methods")) and "password" not in methods:
        impact["sign_in_methods"] = list(without_method(organization, methods).values_list("email", flat=True))
    if domains := changes.get("allowed_email_domains"):
        open_ones = Invitation.objects.open().filter(organization__in=Organization.objects.within(organization))
        invited = open_ones.order_by("email").values_list("email", flat=True)
        impact["allowed_email_domains"] = [email for email in invited if email.rpartition("@")[2] not in domains]
    return {field: emails for field, emails in impact.items() if emails}


def _emails(rows: Any) -> list[str]:
    return sorted({row.email for row in rows})


def _is_within(network: str, networks: list[str]) -> bool:
    """A sign-in remembers the network of an IPv6 address, and the address itself of an IPv4 one."""
    return bool(network) and addresses.within(network.partition("/")[0], networks)


def inherited(organization: Organization) -> list[SecurityPolicy]:
    """The policies of the organizations above, from the root down."""
    above = SecurityPolicy.objects.filter(organization__in=organization.path[:-1]).select_related("organization")
    return sorted(above, key=lambda policy: len(policy.organization.path))
