"""Making, finding, changing, rotating and revoking API keys."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import events, scopes, security
from accounts.lib import instances, sql
from accounts.lib.problems import Conflict, InvalidField
from accounts.lib.sentences import filled
from accounts.models import Organization, User
from apikeys import bounds, key_permissions, secrets
from apikeys.models import ApiKey, ApiKeySecret

PRESENTED = sql.compose(
    """
SELECT {key}, {organization}, {creator}
  FROM apikeys_apikeysecret AS presented
  JOIN apikeys_apikey AS key ON key.id = presented.key_id
  LEFT JOIN accounts_organization AS organization ON organization.id = key.organization_id
  LEFT JOIN accounts_user AS creator ON creator.id = key.created_by_id
 WHERE presented.digest = ANY(%(digests)s) AND (presented.expires_at IS NULL OR presented.expires_at > %(now)s)
""",
    key=instances.columns(ApiKey, "key"),
    organization=instances.columns(Organization, "organization"),
    creator=instances.columns(User, "creator"),
)
LIVING_SECRETS = 2
PERSONAL = frozenset({"name", "description"})  # people write what they like there


class KeyNotUsable(Conflict):
    """A revoked key can't be changed or rotated. An expired one can't be rotated, but its expiry can be put off."""

    code = "key_not_usable"


class KeyMadeAlready(Conflict):
    """There is a key with this id: the form that makes it was sent before."""

    code = "key_made_already"
    detail = (
        "This key was made already, and its secret was shown once. "
        "If you don't have it, revoke the key and make another."
    )


class SecretKnown(Conflict):
    """Two keys can't have the same secret: this key was imported before."""

    code = "secret_known"
    detail = "There is a key with this secret already."


class RotationInProgress(Conflict):
    """The key has two working secrets already, or another request rotated it at the same moment."""

    code = "rotation_in_progress"
    detail = "The key was rotated recently, and its previous secret still works."


@transaction.atomic
def create(
    organization: Organization | None,
    *,
    name: str,
    created_by: User | None = None,
    permissions: Iterable[str] = (),
    expires_at: datetime | None = None,
    maker: ApiKey | None = None,
    **fields: Any,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which can't be shown again.

    `fields` are by the model's names: `environment`, `description`, `allowed_cidrs`, `rate_limit`,
    `rate_limit_window_seconds`, `monthly_budget`; and `id`, which makes only one key however often it is used. If a key
    makes this one, it is the `maker` and binds it.
    """
    key = _make(
        organization,
        created_by=created_by,
        name=name,
        permissions=permissions,
        expires_at=expires_at,
        maker=maker,
        fields=fields,
    )
    return key, _add_secret(key)


@transaction.atomic
def adopt(
    organization: Organization, *, sha256: bytes, hint: str, name: str, permissions: Iterable[str] = (), **fields: Any
) -> ApiKey:
    """Import a key of another system, by the SHA-256 of its secret, so that the secret keeps working. `fields` as for
    `create`.

    `hint` is what is shown of the secret. `SecretKnown` if there is a key with this secret.
    """
    expires_at = fields.pop("expires_at", None)
    key = _make(organization, name=name, permissions=permissions, expires_at=expires_at, fields=fields)
    try:
        with transaction.atomic():
            _store(key, secrets.digest_of_hash(sha256), hint)
    except IntegrityError as error:
        if "digest" not in str(error):
            raise
        raise SecretKnown from error
    return key


def _make(
    organization: Organization | None,
    *,
    name: str,
    permissions: Iterable[str],
    expires_at: datetime | None,
    fields: Mapping[str, Any],
    created_by: User | None = None,
    maker: ApiKey | None = None,
) -> ApiKey:
    now = timezone.now()
    latest = within_longest_life(organization, expires_at, now)
    bound = bounds.within(maker, {**bounds.UNBOUND, **fields, "expires_at": expires_at})
    key = ApiKey(
        organization=organization,
        created_by=created_by,
        name=name,
        permissions=list(permissions),
        created_at=now,
        **{**bound, "expires_at": _soonest(bound["expires_at"], latest)},
    )
    _insert(key)
    made = ("environment", "permissions", "expires_at", "monthly_budget")
    tell(key, "created", now, personal={"after": {"name": name, "description": key.description}}, **_row(key, made))
    return key


def tell(key: ApiKey, verb: str, now: datetime, *, personal: Mapping[str, Any] | None = None, **data: Any) -> None:
    """Record an event such as `api_key.created`. For a platform key, it belongs to the company, not to a customer."""
    data["api_key"] = key.public_id
    events.record(key.organization_id, f"api_key.{verb}", data, now, targets=[key.public_id], personal=personal)


def _row(key: ApiKey, names: Iterable[str]) -> dict[str, Any]:
    return {name: events.plain(getattr(key, name)) for name in names}


def _insert(key: ApiKey) -> None:
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        if "apikeys_apikey_pkey" not in str(error):
            raise
        raise KeyMadeAlready from error


def _add_secret(key: ApiKey) -> str:
    secret = secrets.generate(key.environment)
    _store(key, secrets.digest(secret), secrets.hint(secret))
    return secret


def _store(key: ApiKey, digest: secrets.Digest, hint: str) -> None:
    ApiKeySecret.objects.create(key=key, digest=digest.value, pepper=digest.pepper, hint=hint)


def create_platform(name: str, permissions: Iterable[str] = scopes.GATEWAY, **fields: Any) -> tuple[ApiKey, str]:
    """A key for the company's own gateway, or with other scopes for its backend. `fields` as for `create`."""
    return create(None, name=name, permissions=sorted(permissions), **fields)


def find(secret: str, now: datetime) -> ApiKey | None:
    """The key of a presented secret, with its organization and creator: one indexed query, and no cache."""
    digests = secrets.digests(secret)
    if not digests:
        return None
    parameters = {"digests": digests, "now": now}
    for key, organization, creator in instances.read(PRESENTED, parameters, ApiKey, Organization, User):
        key.organization, key.created_by = organization, creator
        return key  # type: ignore[no-any-return]
    return None


def within_longest_life(organization: Organization | None, wanted: datetime | None, start: datetime) -> datetime | None:
    """The expiry of a key that began at `start`: as requested, or by default the latest that the organization's policy
    allows.
    """
    longest = security.longest_key_life(organization) if organization else None
    if longest is None:
        return wanted
    if wanted is not None and wanted > start + longest:
        raise InvalidField(
            "expires_at", filled("Keys of this organization live at most %(days)s days.", days=longest.days)
        )
    return wanted or start + longest


def _soonest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


@transaction.atomic
def update(key: ApiKey, changes: Mapping[str, Any], *, maker: ApiKey | None = None) -> ApiKey:
    """Write the named fields, and no others. `enabled` false refuses the key's next request; true allows it again.

    If a key makes the change, it is the `maker` and binds what widens the other key.
    """
    row, now = _lock(key), timezone.now()
    wider = {name: value for name, value in changes.items() if name in bounds.widening(key, changes)}
    changes = {**changes, **bounds.within(maker, wider)}
    if "permissions" in changes:
        held = key_permissions.held_by_creator(key)
        key_permissions.check(changes["permissions"], held, beyond="The key's creator doesn't hold {}.")
    if "expires_at" in changes:
        latest = within_longest_life(key.organization, changes["expires_at"], key.created_at)
        changes["expires_at"] = _soonest(changes["expires_at"], latest)
    if (enabled := changes.pop("enabled", None)) is not None:
        changes["disabled_at"] = None if enabled else row.disabled_at or now
    if changes and not ApiKey.objects.unrevoked().filter(pk=key.pk).update(**changes):
        raise KeyNotUsable("The key is revoked.")
    key.refresh_from_db(fields=list(changes))
    events.record_change(
        key.organization_id,
        "api_key.changed",
        _row(row, changes),
        _row(key, changes),
        now,
        targets=[key.public_id],
        personal=PERSONAL,
        api_key=key.public_id,
    )
    return key


@transaction.atomic
def rotate(key: ApiKey, overlap: timedelta) -> str:
    """A new secret for the same key. The previous one works for `overlap` at most; its own expiry is never put off.

    There's a race: two rotations may read the same secrets before the lock. The second sees that they changed.
    """
    seen = {secret.pk for secret in key.secrets.all()}
    locked, now = _lock(key), timezone.now()
    if (status := locked.status(now)) in ("revoked", "expired"):
        raise KeyNotUsable(filled("The key is %(status)s.", status=status))
    stored = _secrets_of(key)
    living = [secret for secret in stored if secret.expires_at is None or secret.expires_at > now]
    if {secret.pk for secret in stored} != seen or len(living) >= LIVING_SECRETS:
        raise RotationInProgress
    for secret in living:
        secret.expires_at = min(secret.expires_at or now + overlap, now + overlap)
        secret.save(update_fields=["expires_at"])
    tell(key, "rotated", now, overlap_seconds=int(overlap.total_seconds()))
    return _add_secret(key)


def _lock(key: ApiKey) -> ApiKey:
    return ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)


def _secrets_of(key: ApiKey) -> list[ApiKeySecret]:
    return list(ApiKeySecret.objects.filter(key=key))


@transaction.atomic
def revoke(key: ApiKey) -> ApiKey:
    """Revoke a key for good: its next request is refused. A second revocation keeps the time of the first."""
    now = timezone.now()
    if ApiKey.objects.unrevoked().filter(pk=key.pk).update(revoked_at=now):
        tell_revoked(key, now)
    key.refresh_from_db(fields=["revoked_at"])
    return key


def tell_revoked(key: ApiKey, now: datetime) -> None:
    tell(key, "revoked", now, actor=events.origin.actor().id)
