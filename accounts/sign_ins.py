"""Where a person is signed in: the dashboard's sessions and the API's token families, in one list."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Length
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format

from accounts import emails, people
from accounts.lib import languages
from accounts.lib.problems import NotFound
from accounts.lib.session_store import DIGEST_LENGTH
from accounts.models import BrowserSession, TokenFamily, User
from accounts.models.sessions import BrowserSessionQuerySet
from accounts.origins import Origin, device

GRAIN = timedelta(minutes=1)  # of `last_used_at`


@dataclass(frozen=True)
class SignIn:
    """`kind` is `browser` or `api`. The id opens nothing: a family's primary key stays in its refresh token."""

    id: UUID
    kind: str
    device: str
    network: str
    created_at: datetime
    last_used_at: datetime
    is_current: bool


@dataclass(frozen=True)
class Current:
    """The caller's own sign-in: the digest of a session's key, or a family's `sid`."""

    session_digest: str = ""
    sid: UUID | None = None


def of(user: User, current: Current, now: datetime) -> list[SignIn]:
    """All sign-ins of the person, the last used first."""
    living = Session.objects.filter(expire_date__gt=now).values("session_key")
    sessions = BrowserSession.objects.of_person(user).filter(session_key__in=living)
    families = TokenFamily.objects.filter(user=user, revoked_at=None, expires_at__gt=now)
    rows = [_row(row, "browser", row.session_key == current.session_digest) for row in sessions]
    rows += [_row(row, "api", row.sid == current.sid) for row in families if row.has_todays_password]
    return sorted(rows, key=lambda row: row.last_used_at, reverse=True)


def _row(row: BrowserSession | TokenFamily, kind: str, is_current: bool) -> SignIn:
    used = row.last_used_at or row.created_at
    id = row.sid if isinstance(row, TokenFamily) else row.pk
    return SignIn(id, kind, device(row.user_agent), row.network, row.created_at, used, is_current)


def touch(user: User, session_digest: str, origin: Origin, now: datetime) -> None:
    """Note that a session of the dashboard was used."""
    fields = {"user": user, "last_used_at": now, "network": origin.network, "user_agent": origin.user_agent}
    BrowserSession.objects.update_or_create(session_key=session_digest, defaults=fields)


def warn(user: User, origin: Origin, now: datetime) -> None:
    """Email the person that somebody has signed in to their account from a new network."""
    with languages.spoken(user.language or translation.get_language() or ""):
        device, at = origin.device, f"{date_format(now, 'DATETIME_FORMAT')} UTC"
    security_url = settings.BASE_URL + reverse("mfa_index")
    context = {"email": user.email, "device": device, "network": origin.network, "at": at, "security_url": security_url}
    emails.queue("new_sign_in", to=user.email, context=context)


@transaction.atomic
def end(user: User, id: UUID, now: datetime) -> None:
    """End one sign-in, from the next request on. `NotFound` if the person has no such sign-in."""
    if _end_sessions(BrowserSession.objects.of_person(user).filter(pk=id)):
        method = "session"
    elif TokenFamily.objects.filter(user=user, sid=id, revoked_at=None).update(revoked_at=now):
        method = "token"
    else:
        raise NotFound("There is no such sign-in.")
    people.tell(user, "sign_in.ended", {"method": method})


@transaction.atomic
def end_others(user: User, current: Current, now: datetime) -> int:
    """End all sign-ins but the caller's own. Returns how many there were."""
    ended = _end_sessions(BrowserSession.objects.of_person(user).exclude(session_key=current.session_digest))
    families = TokenFamily.objects.filter(user=user, revoked_at=None, expires_at__gt=now)
    others = families.exclude(sid=current.sid) if current.sid else families
    ended += others.update(revoked_at=now)
    if ended:
        people.tell(user, "sign_in.others_ended", {"ended": ended})
    return ended


def _end_sessions(sessions: BrowserSessionQuerySet) -> int:
    Session.objects.filter(session_key__in=list(sessions.values_list("session_key", flat=True))).delete()
    return int(sessions.delete()[0])


def purge(now: datetime) -> int:
    """Forget the sessions that have ended.

    Those of version 0.1 have ended, too: their rows had the key in the cookie as their name, which opens nothing now.
    """
    ended = Q(expire_date__lte=now) | Q(length__lt=DIGEST_LENGTH)
    Session.objects.alias(length=Length("session_key")).filter(ended).delete()
    return BrowserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()[0]
