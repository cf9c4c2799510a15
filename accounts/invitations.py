"""Inviting an email address to a role.

The token of an invitation is an HMAC of its id and expiry, so the email can be made from the row, which keeps only a
digest of the token. A token goes to the invited address, and to the inviter, who may want to copy the link.
"""

import base64
import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import emails, events, members, security
from accounts.credentials import Credential
from accounts.lib.problems import Conflict, TooManyRequests
from accounts.models import Invitation, Membership, Organization
from accounts.models.invitations import LIFETIME

PREFIX = "it_"
TEMPLATE = "invitation"
# Emails an hour, so that nobody's mailbox is flooded and mail servers go on trusting ours.
HOUR_SECONDS = 3600
AN_ADDRESS_AN_HOUR = 10
AN_ORGANIZATION_AN_HOUR = 200


class InvitationPending(Conflict):
    """The address has been invited already, and may still accept."""

    code = "invitation_pending"
    detail = "This address has a pending invitation. Resend or revoke it."


class AlreadyMember(Conflict):
    """The person already has a role in this organization. It can be changed, but not given twice."""

    code = "already_member"
    detail = "This person is a member of the organization already."


class EmailDomainNotAllowed(Conflict):
    """The security policy of the organization, or of one above it, admits other domains only."""

    code = "email_domain_not_allowed"
    detail = "The organization's security policy does not admit this email domain."

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/email", "detail": self.detail}])


class InvitationAccepted(Conflict):
    """It was already accepted."""

    code = "invitation_accepted"
    detail = "This invitation was already accepted."


class TokenLost(Exception):
    """The SECRET_KEY that made the token is neither the current one nor a fallback."""


def invite(organization: Organization, *, email: str, role: str, by: Credential) -> Invitation:
    """Invite an address. An expired invitation gives way. The email goes out after the commit."""
    members.check_grant(role, by)
    with transaction.atomic():
        invitation = Invitation(
            organization=organization, email=email, role=role, invited_by=by.user, by_company=by.is_platform
        )
        _make(invitation)
        _count_email(organization, email)
    return invitation


@transaction.atomic
def invite_for_company(organization: Organization, *, email: str, role: str) -> Invitation:
    """As `invite`, by the company itself: to any role, and without a limit of emails."""
    invitation = Invitation(organization=organization, email=email, role=role, by_company=True)
    _make(invitation)
    return invitation


def _make(invitation: Invitation) -> None:
    check_address(invitation.organization, invitation.email)
    now = timezone.now()
    same = Invitation.objects.of(invitation.organization).filter(email=invitation.email)
    same.open().filter(expires_at__lte=now).update(revoked_at=now)
    invitation.created_at = now
    _renew(invitation, now)
    try:
        with transaction.atomic():
            invitation.save(force_insert=True)
    except IntegrityError as error:
        if "invitation_one_open" not in str(error):
            raise
        raise InvitationPending from error
    _send(invitation)
    tell(invitation, "invitation.created", role=invitation.role)


@transaction.atomic
def resend(invitation: Invitation, *, by: Credential) -> Invitation:
    """A new token, good for another week. The former one stops working. Whoever resends it becomes the inviter."""
    invitation = Invitation.objects.select_for_update(no_key=True).get(pk=invitation.pk)
    members.check_grant(invitation.role, by)
    if invitation.accepted_at:
        raise InvitationAccepted
    if invitation.revoked_at:
        raise Conflict("This invitation was revoked, or a newer one took its place.")
    check_address(invitation.organization, invitation.email)
    _count_email(invitation.organization, invitation.email)
    _renew(invitation, timezone.now())
    invitation.invited_by, invitation.by_company = by.user, by.is_platform
    invitation.save(update_fields=["digest", "expires_at", "invited_by", "by_company"])
    _send(invitation)
    tell(invitation, "invitation.resent", role=invitation.role)
    return invitation


def revoke(invitation: Invitation, *, by: Credential) -> None:
    """Withdraw it. The caller must be able to give this role."""
    members.check_grant(invitation.role, by)
    withdraw(invitation)


@transaction.atomic
def withdraw(invitation: Invitation) -> None:
    """Take an invitation back. Doing it twice changes nothing."""
    revoked = Invitation.objects.open().filter(pk=invitation.pk).update(revoked_at=timezone.now())
    invitation.refresh_from_db(fields=["accepted_at", "revoked_at"])
    if invitation.accepted_at:
        raise InvitationAccepted
    if revoked:
        tell(invitation, "invitation.revoked", actor=events.origin.actor().id)


def check_address(organization: Organization, email: str) -> None:
    if not security.effective(organization).admits_email(email):
        raise EmailDomainNotAllowed
    if Membership.objects.filter(organization=organization, user__email=email).exists():
        raise AlreadyMember


def _count_email(organization: Organization, email: str) -> None:
    """Counts an email to this address, whoever sends it, and an email from the organization's tree."""
    limits = {email: AN_ADDRESS_AN_HOUR, str(organization.root_id): AN_ORGANIZATION_AN_HOUR}
    for name, limit in limits.items():
        key = f"invitations:{hashlib.sha256(name.encode()).hexdigest()}"
        if not cache.add(key, 1, HOUR_SECONDS) and _one_more(key) > limit:
            wait = {"Retry-After": str(HOUR_SECONDS)}
            raise TooManyRequests("Too many invitation emails in an hour. Try again later.", headers=wait)


def _one_more(key: str) -> int:
    try:
        return cache.incr(key)
    except ValueError:  # the hour has just ended
        return 1


def email_context(to: str, queued: emails.Context) -> dict[str, Any] | None:
    """The context of the email when it is sent. None if the invitation is over, or was resent since."""
    pending = Invitation.objects.pending(timezone.now()).filter(pk=queued["invitation"])
    invitation = pending.select_related("organization", "invited_by").first()
    if invitation is None or invitation.expires_at.isoformat() != queued["expires_at"]:
        return None
    inviter = invitation.invited_by
    return {
        "organization": emails.plain_name(invitation.organization.name),
        "inviter": emails.plain_name(inviter.get_full_name()) if inviter else "",
        "email": to,
        "role": invitation.get_role_display(),
        "expires_at": invitation.expires_at,
        "accept_url": accept_url(invitation),
    }


def _send(invitation: Invitation) -> None:
    queued = {"invitation": str(invitation.pk), "expires_at": invitation.expires_at.isoformat()}
    language = invitation.invited_by.language if invitation.invited_by else ""
    emails.queue(TEMPLATE, to=invitation.email, context=queued, language=language)


def accept_url(invitation: Invitation) -> str:
    """The link for the invited person. It holds the token."""
    return f"{settings.BASE_URL}{reverse('accept-invitation')}?token={token_of(invitation)}"


def token_of(invitation: Invitation) -> str:
    """The current token, made again from the row. `TokenLost` if the secret it was made with is gone."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        token = _token(invitation, secret)
        if digest(token) == bytes(invitation.digest):
            return token
    raise TokenLost(invitation.public_id)


def tell(invitation: Invitation, type: str, by: events.Actor | None = None, **data: str | None) -> None:
    data["invitation"] = invitation.public_id
    targets = [invitation.public_id]
    events.record(invitation.organization_id, type, data, timezone.now(), actor=by, targets=targets)


def _renew(invitation: Invitation, now: datetime) -> None:
    invitation.expires_at = now + LIFETIME
    invitation.digest = digest(_token(invitation, settings.SECRET_KEY))


def _token(invitation: Invitation, secret: str) -> str:
    message = f"{invitation.pk.hex}:{invitation.expires_at.isoformat()}"
    mac = salted_hmac("accounts.invitations", message, secret=secret, algorithm="sha256").digest()
    return PREFIX + base64.urlsafe_b64encode(mac).decode().rstrip("=")


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
