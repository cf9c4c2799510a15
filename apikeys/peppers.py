"""Changing the pepper of API keys: a key moves to the newest pepper when it is used, so that an old one can go."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from apikeys import secrets
from apikeys.models import ApiKeySecret


@dataclass(frozen=True)
class PepperUse:
    """How many working secrets are stored under a pepper. `is_known`: it is in API_KEY_PEPPERS, so they work."""

    number: int
    is_newest: bool
    is_known: bool
    secrets: int


def is_single() -> bool:
    """Whether there is one pepper, so that no key has to move."""
    return len(settings.API_KEY_PEPPERS) == 1


def redigest(presented: Iterable[str]) -> None:
    """Store secrets that were just used under the newest pepper. Costs nothing while there is only one pepper.

    Rows are written in the order of their digests, so that two batches don't wait for each other in a circle.
    """
    if is_single():
        return
    moves = {older: secrets.digest(secret) for secret in presented for older in secrets.digests(secret)[1:]}
    stored = ApiKeySecret.objects.filter(digest__in=moves).values_list("digest", flat=True)
    for older in sorted(map(bytes, stored)):
        newest = moves[older]
        ApiKeySecret.objects.filter(digest=older).update(digest=newest.value, pepper=newest.pepper)


def usage() -> list[PepperUse]:
    """Each pepper that is configured or still in use, the newest first."""
    now = timezone.now()
    working = (Q(expires_at=None) | Q(expires_at__gt=now)) & Q(key__revoked_at=None)
    unexpired = Q(key__expires_at=None) | Q(key__expires_at__gt=now)
    counts = dict(
        ApiKeySecret.objects.filter(working & unexpired).values_list("pepper").annotate(Count("pk")).order_by()
    )
    configured = [number for number, _ in settings.API_KEY_PEPPERS]
    numbers = [*configured, *sorted(counts.keys() - set(configured), reverse=True)]
    return [
        PepperUse(number, number == configured[0], number in configured, counts.get(number, 0)) for number in numbers
    ]
