"""Signing up where addresses are proved: a code goes to the address, and the account is made when it comes back.

A free and a taken address get the same answer after the same work. Which it is, is looked up when the email is made. No
account exists before the code is typed in, so nobody can prepare one for somebody else's address.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts import accepting, email_codes, emails, people
from accounts.models import EmailCode, Organization, User

TEMPLATE = "sign_up"
PURPOSE = EmailCode.Purpose.SIGN_UP


def begin(user: User, *, organization_name: str, invitation: str, network: str, now: datetime) -> EmailCode:
    """Sends a code to the address of `user`, who is not saved and has a password already."""
    if invitation:
        accepting.check(invitation, user.email)
    data = {
        "name": user.name,
        "timezone": user.timezone,
        "language": user.language,
        "password": user.password,
        "organization_name": organization_name,
        "invitation": invitation,
    }
    with transaction.atomic():
        row, code = email_codes.issue(PURPOSE, user.email, data, network=network, now=now)
        if code:
            emails.queue(TEMPLATE, to=user.email, context={"code": code, "name": user.name})
    return row


def finish(
    email: str, code: str, *, network: str, now: datetime, only: UUID | None = None
) -> tuple[User, Organization]:
    """Makes the account of the sign-up `only`, with the password that was chosen there.

    Other sign-ups that wait for the same address end: they may be a stranger's.
    """
    row = email_codes.redeem(PURPOSE, email, code, network=network, now=now, only=only)
    data = email_codes.data_of(row)
    user = User(email=row.email, name=data["name"], timezone=data["timezone"], email_verified_at=now)
    user.language = data.get("language", "")
    user.password = data["password"]
    with transaction.atomic():
        if data["invitation"]:
            organization = accepting.sign_up(user, data["invitation"])
        else:
            organization = people.sign_up(user, organization_name=data["organization_name"])
        EmailCode.objects.filter(email=row.email, purpose=PURPOSE).delete()
    return user, organization


def email_context(to: str, queued: emails.Context) -> dict[str, Any]:
    """The email has the code. For an address with an account, it only says that there is one."""
    taken = User.objects.filter(email=to).exists()
    return {
        "email": to,
        "name": emails.plain_name(queued["name"]),
        "code": "" if taken else queued["code"],
        "minutes": email_codes.MINUTES,
        "sign_in_url": settings.BASE_URL + reverse("account_login"),
        "reset_url": settings.BASE_URL + reverse("account_reset_password"),
    }
