"""Second factors: an authenticator app, passkeys, and recovery codes beside them. allauth keeps them, encrypted.

All codes that a person enters, on any page or at the API, are counted together.
"""

from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY, get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from accounts import sign_in_limits
from accounts.models import User

TOTP, PASSKEY, RECOVERY = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES
# What the API calls them.
NAMES = {TOTP: "totp", PASSKEY: "passkey", RECOVERY: "recovery_code"}


def of(user: User) -> Any:
    """The factors of a person, without the recovery codes, which only replace one."""
    return Authenticator.objects.filter(user=user).exclude(type=RECOVERY)


def enrolled(type: str = "") -> Any:
    """The ids of those who have a factor, or one of this type."""
    factors = Authenticator.objects.filter(type=type) if type else Authenticator.objects.exclude(type=RECOVERY)
    return factors.values("user")


def is_enrolled(user: User) -> bool:
    return bool(of(user).exists())


def has_passkey(user: User) -> bool:
    return bool(of(user).filter(type=PASSKEY).exists())


def names(user: User) -> list[str]:
    """The kinds of factor that the person has, by their names in the API."""
    types = Authenticator.objects.filter(user=user).values_list("type", flat=True).distinct()
    return sorted(NAMES[Authenticator.Type(type)] for type in types)


def check_code(user: User, code: str, network: str) -> Authenticator | None:
    """The authenticator whose code this is; the code is used up. `TooManyFailures` after too many wrong ones."""
    attempt = sign_in_limits.begin(f"factor {user.pk}", network, person=user.email)
    for authenticator in Authenticator.objects.filter(user=user).exclude(type=PASSKEY):
        if authenticator.wrap().validate_code(code):
            attempt.take_back()
            return authenticator
    return None


def use_up(user: User, code: str) -> None:
    """The code that a new app was added with is not good a second time, as no code is. allauth forgets that one."""
    Authenticator.objects.get(user=user, type=TOTP).wrap().validate_code(code)


def was_used(request: HttpRequest, user: User) -> bool:
    """Whether this session was opened with a factor, or has shown one since, that the person still has."""
    records = get_authentication_records(request, user)
    return any(record.get("method") == "mfa" for record in records) and is_enrolled(user)


def note_use(request: HttpRequest, user: User, type: str) -> None:
    """Adding a factor counts as showing it. A confirmation by password no longer counts."""
    records = get_authentication_records(request, user)
    kept = [record for record in records if not (record["method"] == "password" and record.get("reauthenticated"))]
    request.session[AUTHENTICATION_METHODS_SESSION_KEY] = kept
    record_authentication(request, user, "mfa", type=type, reauthenticated=True)
