"""Making, finding, changing, rotating and revoking API keys."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import scopes, security
from accounts.lib import addresses
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization, User
from accounts.permissions import NotAllowed
from apikeys import secrets
from apikeys.models import ApiKey, ApiKeySecret

PERMISSION = re.compile(r"[a-z][a-z0-9_-]*:[a-z0-9_*-]+")
LIVING_SECRETS = 2


class KeyNotUsable(Conflict):
    """A revoked key is neither changed nor rotated; an expired one is not rotated, but its life may be prolonged."""

    code = "key_not_usable"


class RotationInProgress(Conflict):
    """The secret before the last one still works, or another request rotated the key at the same moment."""

    code = "rotation_in_progress"
    detail = "The key is being rotated already: its previous secret still works."


@transaction.atomic
def create(
    organization: Organization | None,
    *,
    name: str,
    created_by: User | None = None,
    permissions: Iterable[str] = (),
    expires_at: datetime | None = None,
    maker: ApiKey | None = None,
    **about: Any,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not to be had again.

    `about`: `environment`, `description`, `allowed_cidrs`, `rate_limit`, `rate_limit_window_seconds`, `monthly_budget`.
    A `maker` is the key that makes it, and binds it.
    """
    now = timezone.now()
    latest = within_longest_life(organization, expires_at, now)
    about = within(maker, {**UNBOUND, **about, "expires_at": expires_at})
    key = ApiKey.objects.create(
        organization=organization,
        created_by=created_by,
        name=name,
        permissions=list(permissions),
        created_at=now,
        **{**about, "expires_at": _soonest(about["expires_at"], latest)},
    )
    return key, _add_secret(key)


def _add_secret(key: ApiKey) -> str:
    secret = secrets.generate(key.environment)
    digest = secrets.digest(secret)
    ApiKeySecret.objects.create(key=key, digest=digest.value, pepper=digest.pepper, hint=secrets.hint(secret))
    return secret


def create_platform(name: str) -> tuple[ApiKey, str]:
    """A key for the company's own gateway."""
    return create(None, name=name, permissions=sorted(scopes.PLATFORM))


def find(secret: str, now: datetime) -> ApiKey | None:
    """The key of a presented secret, with its organization and creator: one indexed query, and no cache."""
    candidates = secrets.digests(secret)
    if not candidates:
        return None
    found = ApiKeySecret.objects.filter(_living(now), digest__in=candidates)
    presented = found.select_related("key__organization", "key__created_by").first()
    return presented.key if presented else None


def _living(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)


def within_longest_life(organization: Organization | None, wanted: datetime | None, start: datetime) -> datetime | None:
    """When a key that began at `start` expires: as wanted; by itself, as late as the organization's policy allows."""
    longest = security.longest_key_life(organization) if organization else None
    if longest is None:
        return wanted
    if wanted is not None and wanted > start + longest:
        raise InvalidField("expires_at", f"Keys of this organization live at most {longest.days} days.")
    return wanted or start + longest


def _soonest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def within(maker: ApiKey | None, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is said about a key, bound as the key is that makes or widens it: where nothing is given, by the same.

    What is given and less bound is refused; but of two rate limits or budgets, the maker's is taken.
    """
    loose = freer(maker, about) if maker else set()
    for name, refusal in REFUSALS.items():
        if name in loose and about[name]:
            raise InvalidField(name, refusal)
    return {**about, **{name: getattr(maker, name) for name in loose}}


def freer(bound: ApiKey, about: Mapping[str, Any]) -> set[str]:
    """The members of `about` that bind a key less than `bound` is bound. What isn't named isn't looked at."""
    return {name for name, is_freer in BOUNDS.items() if name in about and is_freer(bound, about)}


def _leaves_test(bound: ApiKey, about: Mapping[str, Any]) -> bool:
    return bool(bound.environment == ApiKey.Environment.TEST and about["environment"] != bound.environment)


def _outlives(bound: ApiKey, about: Mapping[str, Any]) -> bool:
    end = about["expires_at"]
    return bound.expires_at is not None and (end is None or bound.expires_at < end)


def _leaves_networks(bound: ApiKey, about: Mapping[str, Any]) -> bool:
    networks = about["allowed_cidrs"]
    inside = networks and all(addresses.inside(one, bound.allowed_cidrs) for one in networks)
    return bool(bound.allowed_cidrs) and not inside


def _calls_oftener(bound: ApiKey, about: Mapping[str, Any]) -> bool:
    """Whether more calls fit in the window of `bound`: as many times the limit as windows begin in it."""
    limit, window = about["rate_limit"], about["rate_limit_window_seconds"]
    if bound.rate_limit is None or bound.rate_limit_window_seconds is None:
        return False
    return bool(limit is None or limit * -(-bound.rate_limit_window_seconds // window) > bound.rate_limit)


def _spends_more(bound: ApiKey, about: Mapping[str, Any]) -> bool:
    budget = about["monthly_budget"]
    return bound.monthly_budget is not None and (budget is None or budget > bound.monthly_budget)


BOUNDS: dict[str, Callable[[ApiKey, Mapping[str, Any]], bool]] = {
    "environment": _leaves_test,
    "expires_at": _outlives,
    "allowed_cidrs": _leaves_networks,
    "rate_limit": _calls_oftener,
    "rate_limit_window_seconds": _calls_oftener,
    "monthly_budget": _spends_more,
}
REFUSALS = {
    "environment": "A test key makes test keys.",
    "expires_at": "A key gives no longer life than its own.",
    "allowed_cidrs": "A key gives no networks beyond its own.",
}
UNBOUND: dict[str, Any] = {
    "environment": ApiKey.Environment.LIVE,
    "allowed_cidrs": [],
    "rate_limit": None,
    "rate_limit_window_seconds": None,
    "monthly_budget": None,
}


def held_by_creator(key: ApiKey) -> frozenset[str]:
    """The scopes that the key's creator holds in its organization at this moment; a platform key has the platform's."""
    if key.organization is None:
        return scopes.PLATFORM
    if key.created_by is None or not key.created_by.is_active:
        return frozenset()
    return scopes.of_roles(key.organization.roles_of(key.created_by))


def usable_permissions(permissions: Iterable[str], held: frozenset[str]) -> tuple[str, ...]:
    """Of a key's permissions, in their order, all but the scopes that its creator, who holds `held`, has no more."""
    lost = scopes.ALL - held
    return tuple(permission for permission in permissions if permission not in lost)


def widening(key: ApiKey, changes: Mapping[str, Any]) -> set[str]:
    """The names of the changes after which the key may do or spend more, longer, oftener, elsewhere, or works again."""
    more = {"permissions"} if set(changes.get("permissions", ())) - set(key.permissions) else set()
    again = {"enabled"} if changes.get("enabled") and key.disabled_at else set()
    return freer(key, changes) | more | again


def update(key: ApiKey, changes: Mapping[str, Any], *, maker: ApiKey | None = None) -> ApiKey:
    """Write the named fields, and no other. `enabled` false refuses the key's next request; true allows it again.

    What widens the key is bound by `maker`, where that is the key that does it.
    """
    wider = {name: value for name, value in changes.items() if name in widening(key, changes)}
    changes = {**changes, **within(maker, wider)}
    if "permissions" in changes:
        check_permissions(changes["permissions"], held_by_creator(key), beyond="The key's creator doesn't hold {}.")
    if "expires_at" in changes:
        latest = within_longest_life(key.organization, changes["expires_at"], key.created_at)
        changes["expires_at"] = _soonest(changes["expires_at"], latest)
    if (enabled := changes.pop("enabled", None)) is not None:
        changes["disabled_at"] = None if enabled else key.disabled_at or timezone.now()
    if changes and not ApiKey.objects.unrevoked().filter(pk=key.pk).update(**changes):
        raise KeyNotUsable("The key is revoked.")
    key.refresh_from_db(fields=list(changes))
    return key


@transaction.atomic
def rotate(key: ApiKey, overlap: timedelta) -> str:
    """A new secret for the same key. The one before works on for `overlap` at most; its expiry is never put off.

    Two rotations that meet: both read the same secrets before the lock, and the second finds them changed.
    """
    seen = {secret.pk for secret in key.secrets.all()}
    locked, now = _lock(key), timezone.now()
    if (status := locked.status(now)) in ("revoked", "expired"):
        raise KeyNotUsable(f"The key is {status}.")
    known = _secrets_of(key)
    living = [secret for secret in known if secret.expires_at is None or secret.expires_at > now]
    if {secret.pk for secret in known} != seen or len(living) >= LIVING_SECRETS:
        raise RotationInProgress
    for secret in living:
        secret.expires_at = min(secret.expires_at or now + overlap, now + overlap)
        secret.save(update_fields=["expires_at"])
    return _add_secret(key)


def _lock(key: ApiKey) -> ApiKey:
    return ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)


def _secrets_of(key: ApiKey) -> list[ApiKeySecret]:
    return list(ApiKeySecret.objects.filter(key=key))


def check_not_beyond(key: ApiKey, holder: frozenset[str], *, by: ApiKey | None) -> None:
    """Refuse someone who may do less than the key, or a key that is more bound: to widen it, or to have its secret."""
    if excess := sorted((scopes.ALL & set(key.permissions)) - holder):
        raise NotAllowed(
            f"The key may do more than you: {', '.join(excess)}.",
            required_scopes=excess,
            granted_scopes=sorted(holder),
        )
    if by and freer(by, {name: getattr(key, name) for name in BOUNDS}):
        raise NotAllowed(
            "The key is less bound than yours: in its environment, expiry, networks, rate limit or budget."
        )


def revoke(key: ApiKey) -> ApiKey:
    """Revoke a key for good. It works on the next request; a second revocation keeps the time of the first."""
    ApiKey.objects.unrevoked().filter(pk=key.pk).update(revoked_at=timezone.now())
    key.refresh_from_db(fields=["revoked_at"])
    return key


def check_permissions(
    permissions: Iterable[str], holder: frozenset[str], *, beyond: str = "You don't hold {} yourself."
) -> None:
    """Refuse what is not of the form `resource:action`, twice the same, or a scope beyond the holder's own."""
    permissions = list(permissions)
    if len(set(permissions)) != len(permissions):
        raise InvalidField("permissions", "A permission is named twice.")
    for permission in permissions:
        if len(permission) > 100 or not PERMISSION.fullmatch(permission):
            raise InvalidField("permissions", f"{permission[:100]!r} is not of the form resource:action.")
    if excess := sorted((scopes.ALL & set(permissions)) - holder):
        raise InvalidField("permissions", beyond.format(", ".join(excess)))
