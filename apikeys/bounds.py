"""The bounds of a key: environment, expiry, networks, rate limit and budget. A key can't make or widen another beyond
its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from accounts import scopes
from accounts.access import LiveKeyRequired, NotAllowed
from accounts.lib import addresses
from accounts.lib.problems import InvalidField
from accounts.lib.sentences import filled
from apikeys.models import ApiKey

Fields = Mapping[str, Any]  # of a key, by the model's names

REFUSALS = {
    "environment": "A test key makes test keys.",
    "expires_at": "A key can't give a later expiry than its own.",
    "allowed_cidrs": "A key can't give networks beyond its own.",
}
UNBOUND: dict[str, Any] = {
    "environment": ApiKey.Environment.LIVE,
    "allowed_cidrs": [],
    "rate_limit": None,
    "rate_limit_window_seconds": None,
    "monthly_budget": None,
}


def within(maker: ApiKey | None, fields: Fields) -> dict[str, Any]:
    """The fields of a key that `maker` makes or widens, bound at least as tightly as `maker` is.

    An empty field gets the maker's value. A looser value is refused, except that of two rate limits or budgets the
    tighter one is used.
    """
    looser = loosened(maker, fields) if maker else set()
    for name, refusal in REFUSALS.items():
        if name in looser and fields[name]:
            raise InvalidField(name, refusal)
    return {**fields, **{name: getattr(maker, name) for name in looser}}


def loosened(bound: ApiKey, fields: Fields) -> set[str]:
    """The names of the given fields whose values are looser than those of the key `bound`."""
    return {name for name, is_looser in _LOOSER.items() if name in fields and is_looser(bound, fields)}


def widening(key: ApiKey, changes: Fields) -> set[str]:
    """The names of the changes that let the key do or spend more, longer, faster or elsewhere, or enable it again."""
    more = {"permissions"} if set(changes.get("permissions", ())) - set(key.permissions) else set()
    again = {"enabled"} if changes.get("enabled") and key.disabled_at else set()
    return loosened(key, changes) | more | again


def check_environment(key: ApiKey, *, by: ApiKey | None) -> None:
    """Refuse a test key that changes, rotates or revokes a live key."""
    if by and by.is_test and not key.is_test:
        raise LiveKeyRequired


def check_not_beyond(key: ApiKey, holder: frozenset[str], *, by: ApiKey | None) -> None:
    """Refuse to let someone with fewer permissions or tighter bounds than a key widen it, or get its secret."""
    if excess := sorted((scopes.ALL & set(key.permissions)) - holder):
        raise NotAllowed(
            filled("The key may do more than you: %(scopes)s.", scopes=", ".join(excess)),
            required_scopes=excess,
            granted_scopes=sorted(holder),
        )
    if by and loosened(by, {name: getattr(key, name) for name in _LOOSER}):
        raise NotAllowed(
            "The key is less bound than yours: in its environment, expiry, networks, rate limit or budget."
        )


def _leaves_test(bound: ApiKey, fields: Fields) -> bool:
    return bool(bound.is_test and fields["environment"] != bound.environment)


def _outlives(bound: ApiKey, fields: Fields) -> bool:
    expires_at = fields["expires_at"]
    return bound.expires_at is not None and (expires_at is None or bound.expires_at < expires_at)


def _leaves_networks(bound: ApiKey, fields: Fields) -> bool:
    networks = fields["allowed_cidrs"]
    stays = networks and all(addresses.inside(network, bound.allowed_cidrs) for network in networks)
    return bool(bound.allowed_cidrs) and not stays


def _calls_faster(bound: ApiKey, fields: Fields) -> bool:
    """Whether more calls fit into the window of `bound`. That is the limit times the windows that begin in it."""
    limit, window = fields["rate_limit"], fields["rate_limit_window_seconds"]
    if bound.rate_limit is None or bound.rate_limit_window_seconds is None:
        return False
    return bool(limit is None or limit * -(-bound.rate_limit_window_seconds // window) > bound.rate_limit)


def _spends_more(bound: ApiKey, fields: Fields) -> bool:
    budget = fields["monthly_budget"]
    return bound.monthly_budget is not None and (budget is None or budget > bound.monthly_budget)


_LOOSER: dict[str, Callable[[ApiKey, Fields], bool]] = {
    "environment": _leaves_test,
    "expires_at": _outlives,
    "allowed_cidrs": _leaves_networks,
    "rate_limit": _calls_faster,
    "rate_limit_window_seconds": _calls_faster,
    "monthly_budget": _spends_more,
}
