"""Limits on wrong passwords. Nothing is counted by values that the caller can choose, such as the Host header.

| counted by | limit |
|---|---|
| account and network | 5 in 5 minutes |
| network | 10 in a minute, whatever the accounts |
| account | 100 in a day, then a delay after each that doubles from a second to 15 minutes |

The last limit delays strangers, not the owner: it doesn't apply in networks where the person has signed in before.
Sessions and refresh tokens aren't affected.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Func, Value
from django.utils import timezone

from accounts.lib.problems import TooManyRequests
from accounts.models import KnownNetwork, SignInFailures, User

MINUTE, FIVE_MINUTES, DAY = timedelta(minutes=1), timedelta(minutes=5), timedelta(days=1)
REMEMBERED = timedelta(days=90)
ACCOUNT_BOUND = 100
LONGEST_DELAY_SECONDS = 900

Moments = list[datetime]
# From the failures that still count, oldest first: when the next attempt is allowed.
Rule = Callable[[Moments], datetime | None]


class TooManyFailures(ValidationError):
    def __init__(self, wait: timedelta) -> None:
        self.wait_seconds = max(1, round(wait.total_seconds()))
        super().__init__("Too many failed sign-ins. Try again in some minutes.")

    @property
    def problem(self) -> TooManyRequests:
        """The same for the API."""
        return TooManyRequests(str(self.message), headers={"Retry-After": str(self.wait_seconds)})


@dataclass(frozen=True)
class SignInAttempt:
    """One attempt, which counts as failed until `succeeded`: so parallel guesses can't all pass before one counts."""

    rows: list[SignInFailures]
    network: str
    at: datetime

    def succeeded(self, user: User) -> bool:
        """As `remember`."""
        self.take_back()
        return remember(user, self.network)

    def take_back(self) -> None:
        """The secret was right, so the attempt doesn't count."""
        # A statement a row: rows that were locked together in another order than `begin` does could deadlock with it.
        for row in self.rows:
            left = Func(F("failed_at"), Value(self.at), function="array_remove")
            SignInFailures.objects.filter(pk=row.pk).update(failed_at=left)


@transaction.atomic
def begin(series: str, network: str, *, person: str = "", is_guessable: bool = True) -> SignInAttempt:
    """Counts an attempt of a series, such as the passwords of an address, or raises `TooManyFailures`.

    `person` is the address of the series' owner: strangers' failures don't delay the owner in networks where they have
    signed in. They don't delay secrets that can't be guessed either. A series without an owner, such as all links of a
    kind, is only counted by network: one count for everybody would be a row that all of them wait for.
    """
    now, account = timezone.now(), _digest(series)
    rules: list[tuple[SignInFailures, Rule]] = [
        (_row(account, network, now - FIVE_MINUTES), _at_most(5, FIVE_MINUTES)),
        (_row(b"", network, now - MINUTE), _at_most(10, MINUTE)),
    ]
    if person:
        is_known = KnownNetwork.objects.filter(user__email=person, network=network).exists()
        rules.append((_row(account, "", now - DAY), _ever_slower if is_guessable and not is_known else _never))
    for row, rule in rules:
        allowed_at = rule(row.failed_at)
        if allowed_at and allowed_at > now:
            raise TooManyFailures(allowed_at - now)
    for row, _ in rules:
        row.failed_at.append(now)
        row.last_at = now
        row.save(update_fields=["failed_at", "last_at"])
    return SignInAttempt([row for row, _ in rules], network, now)


@contextmanager
def guess(series: str, network: str) -> Iterator[None]:
    """Around the search for a secret that nobody can guess, such as a link's token: it counts unless it is found.

    `TooManyRequests` instead of the search after too many. Use it outside of a transaction, as `begin`.
    """
    try:
        attempt = begin(series, network)
    except TooManyFailures as error:
        raise error.problem from error
    yield
    attempt.take_back()


def is_slow(series: str, now: datetime) -> bool:
    """Whether guesses of this series have to wait, from any network."""
    row = SignInFailures.objects.filter(account=_digest(series), network="").first()
    return row is not None and sum(moment > now - DAY for moment in row.failed_at) >= ACCOUNT_BOUND


def _digest(series: str) -> bytes:
    return hashlib.sha256(series.encode("utf-8", "surrogatepass")).digest()


def _row(account: bytes, network: str, since: datetime) -> SignInFailures:
    """The row, locked, with the failures that still count."""
    rows = SignInFailures.objects.select_for_update(no_key=True)
    row, _ = rows.get_or_create(account=account, network=network)
    row.failed_at = [moment for moment in row.failed_at if moment > since]
    return row


def _at_most(limit: int, window: timedelta) -> Rule:
    return lambda failures: failures[-limit] + window if len(failures) >= limit else None


def _ever_slower(failures: Moments) -> datetime | None:
    excess = len(failures) - ACCOUNT_BOUND
    if excess < 0:
        return None
    return failures[-1] + timedelta(seconds=min(2 ** min(excess, 20), LONGEST_DELAY_SECONDS))


def _never(failures: Moments) -> None:
    return None


def remember(user: User, network: str) -> bool:
    """The person has signed in from this network. Returns whether it is a new one beside others."""
    row, is_new = KnownNetwork.objects.update_or_create(
        user=user, network=network, defaults={"last_at": timezone.now()}
    )
    return is_new and KnownNetwork.objects.filter(user=user).exclude(pk=row.pk).exists()


def forgive(email: str) -> None:
    """The account has a new password, so nobody has guessed at it yet."""
    SignInFailures.objects.filter(account=_digest(email)).delete()


def purge() -> int:
    """Deletes failures past their day, and networks from which nobody has signed in for 90 days."""
    now = timezone.now()
    failures = SignInFailures.objects.filter(last_at__lte=now - DAY).delete()[0]
    return failures + KnownNetwork.objects.filter(last_at__lte=now - REMEMBERED).delete()[0]
