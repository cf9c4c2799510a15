"""Changing one's email address: a code goes to the new one, and the old one can take the change back for seven days.

The code also proves an address that was not proved yet, so the same form serves for that.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import email_codes, emails, people, sign_in_limits, sign_ins
from accounts.lib import identifiers
from accounts.lib.problems import Gone
from accounts.models import EmailChange, EmailCode, User
from accounts.people import EmailTaken

PURPOSE = EmailCode.Purpose.CHANGE
TEMPLATE = "email_change_code"
UNDO_LIFETIME = timedelta(days=7)
TOKEN_LENGTH = 43


class ChangeUndone(Gone):
    """The link is wrong, was used, or is older than seven days."""

    code = "email_change_undone"
    detail = "This link is not valid any more."


def begin(user: User, email: str, *, network: str, now: datetime) -> EmailCode:
    """Sends a code to the new address, and tells the old one. A taken address gets an email that says so.

    The person's current address always gets the code. After a stranger's attempt, it would only have been told that it
    is taken.
    """
    is_own = email == user.email
    with transaction.atomic():
        row, code = email_codes.issue(PURPOSE, email, {"user": user.pk}, network=network, now=now, again=is_own)
        if code:
            emails.queue(TEMPLATE, to=email, context={"code": code, "user": user.pk})
        if not is_own:
            emails.queue("email_change_asked", to=user.email, context={"old": user.email, "new": email})
    return row


def finish(
    user: User, email: str, code: str, *, only: UUID, network: str, current: sign_ins.Current, now: datetime
) -> None:
    """The code came back: the person has the new address. `EmailTaken` if somebody took it meanwhile."""
    row = email_codes.redeem(PURPOSE, email, code, network=network, now=now, only=only)
    if email_codes.data_of(row)["user"] != user.pk:
        raise email_codes.InvalidCode
    old, was_proved = user.email, user.has_proved_email
    with transaction.atomic():
        _set(user, email, now)
        if email != old:
            sign_ins.end_others(user, current, now)
            if was_proved:  # otherwise the account, and its keys, may be a stranger's
                _offer_undo(user, old, email, now)


def _set(user: User, email: str, now: datetime) -> None:
    user.email, user.email_verified_at = email, now
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_verified_at"])
    except IntegrityError as error:
        if "accounts_user_email" not in str(error):
            raise
        raise EmailTaken from error
    people.tell(user, "email.changed", {})


def _offer_undo(user: User, old: str, new: str, now: datetime) -> None:
    token = identifiers.random_text(identifiers.BASE62, TOKEN_LENGTH)
    EmailChange.objects.create(digest=_digest(token), user=user, old=old, expires_at=now + UNDO_LIFETIME)
    url = f"{settings.BASE_URL}{reverse('undo-email-change')}?token={token}"
    emails.queue("email_changed", to=old, context={"old": old, "new": new, "undo_url": url})


def find(token: str, now: datetime) -> EmailChange:
    row = EmailChange.objects.filter(digest=_digest(token), expires_at__gt=now).select_related("user").first()
    if row is None:
        raise ChangeUndone
    return row


def look_up(token: str, *, network: str, now: datetime) -> EmailChange:
    """As `find`, for a token that a caller sends: a network may send five wrong ones in five minutes."""
    with sign_in_limits.guess("undo link", network):
        return find(token, now)


@transaction.atomic
def undo(token: str, now: datetime) -> User:
    """Restore the old address, end all sign-ins, and email the person a link to choose a new password.

    Later changes are taken back too, because a thief may have made them.
    """
    row = find(token, now)
    user = User.objects.select_for_update(no_key=True).get(pk=row.user_id)
    _set(user, row.old, now)
    EmailChange.objects.filter(user=user, created_at__gte=row.created_at).delete()
    user.set_unusable_password()
    user.save(update_fields=["password"])
    sign_ins.end_others(user, sign_ins.Current(), now)
    return user


@transaction.atomic
def set_by_operator(user: User, old: str, *, is_proved: bool, now: datetime) -> None:
    """Called after an operator has saved an address. A new one is not proved, unless the operator vouches for it.

    Both addresses are told, all sign-ins end, and former addresses can no longer take a change back.
    """
    if is_proved or user.email != old:
        user.email_verified_at = now if is_proved else None
        user.save(update_fields=["email_verified_at"])
    if user.email != old:
        sign_ins.end_others(user, sign_ins.Current(), now)
        EmailChange.objects.filter(user=user).delete()
        for address in (old, user.email):
            emails.queue("email_changed_by_operator", to=address, context={"old": old, "new": user.email})


def email_context(to: str, queued: emails.Context) -> dict[str, Any]:
    """The email has the code. If somebody else has the address, it only says that."""
    taken = User.objects.filter(email=to).exclude(pk=queued["user"]).exists()
    return {"email": to, "code": "" if taken else queued["code"], "minutes": email_codes.MINUTES}


def purge(now: datetime) -> int:
    """Delete the former addresses that can no longer take a change back."""
    return EmailChange.objects.filter(expires_at__lte=now).delete()[0]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
