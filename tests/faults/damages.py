"""Damages that the comparison must notice. Each part of the clients' work is damaged once, in the drill's own database.

A damage is what a fault of the product would leave behind, such as the lease that a return didn't end. It is undone
after the look. `check_ledger` isn't asked, since much of this is no contradiction in the books.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tests.faults import audit
from tests.faults.cast import POOR_BUDGET, Cast
from tests.faults.operations import EXTENSION, Claim


@dataclass(frozen=True)
class Damage:
    """`of` says for which claims the statement can be run; the last of them is taken."""

    what: str
    of: Callable[[Claim], bool]
    statement: str


def _acknowledged(kind: str, **fields: Any) -> Callable[[Claim], bool]:
    def fits(claim: Claim) -> bool:
        return claim.kind == kind and claim.must and all(getattr(claim, name) == fields[name] for name in fields)

    return fits


def _is_cloud_event(claim: Claim) -> bool:
    return claim.must and claim.kind == "event" and claim.id.startswith("faults")


_LEASE = "account_id = %(account)s AND reference = %(id)s AND purpose = 'lease'"
_EVENT = "account_id = %(account)s AND id = %(id)s"

DAMAGES = (
    Damage(
        "a return that did nothing",
        _acknowledged("return"),
        f"UPDATE billing_hold SET status = 'open' WHERE {_LEASE}",
    ),
    Damage(
        "an extension that did nothing",
        _acknowledged("extension"),
        f"UPDATE billing_hold SET amount = amount - {EXTENSION} WHERE {_LEASE}",
    ),
    Damage(
        "an extension that counted twice",
        _acknowledged("extension"),
        f"UPDATE billing_hold SET amount = amount + {EXTENSION} WHERE {_LEASE}",
    ),
    Damage(
        "a purchase for which the card was charged twice",
        _acknowledged("purchase"),
        """
UPDATE billing_sandboxobject SET body = jsonb_set(body, '{received}', to_jsonb(2 * (body ->> 'received')::bigint))
 WHERE id = (SELECT max(id) FROM billing_sandboxobject WHERE kind = 'intent' AND (body ->> 'received')::bigint > 0)
""",
    ),
    Damage(
        "usage that the wrong tier priced",
        _acknowledged("event", priced_by_tiers=True),
        f"UPDATE usage_event SET credits = credits + 0.015 WHERE {_EVENT}",
    ),
    Damage(
        "a void that gave nothing back",
        _acknowledged("void"),
        "UPDATE usage_eventvoid SET entry_seq = NULL WHERE account_id = %(account)s AND event_id = %(id)s",
    ),
    Damage(
        "a grant that wasn't made",
        _acknowledged("grant"),
        "DELETE FROM billing_ledgerentry WHERE account_id = %(account)s AND kind = 'grant' AND description = %(id)s",
    ),
    Damage("a CloudEvent that wasn't recorded", _is_cloud_event, f"DELETE FROM usage_event WHERE {_EVENT}"),
    Damage(
        "a hold that was refused and is there",
        lambda claim: claim.kind == "hold" and claim.must_not,
        """
UPDATE billing_hold SET reference = %(id)s
 WHERE id = (SELECT id FROM billing_hold WHERE account_id = %(account)s AND reference <> '' LIMIT 1)
""",
    ),
    Damage(
        "a budget that was exceeded",
        lambda claim: claim.kind == "hold",
        f"UPDATE billing_spending SET spent = {POOR_BUDGET} + 0.01 WHERE account_id = %(poor)s AND subject = %(key)s",
    ),
    Damage(
        "a poor customer who has more reserved than there is",
        lambda claim: claim.kind == "hold",
        "UPDATE billing_ledgeraccount SET reserved = balance + 0.01 WHERE organization_id = %(poor)s",
    ),
)


def overlooked(claims: Iterable[Claim], cast: Cast) -> list[str]:
    """The damages that the comparison doesn't notice. One for which there is nothing to damage counts as overlooked."""
    claims, blind = list(claims), []
    for damage in DAMAGES:
        claim = next((claim for claim in reversed(claims) if damage.of(claim)), None)
        if claim is None or not _is_noticed(damage, claim, claims, cast):
            blind.append(f"not seen: {damage.what}")
    return blind


def _is_noticed(damage: Damage, claim: Claim, claims: list[Claim], cast: Cast) -> bool:
    params: dict[str, Any] = {"account": claim.account, "id": claim.id, "poor": cast.poor.account, "key": cast.poor.key}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # without triggers: entries never change
            cursor.execute(damage.statement, params)
            is_done = cursor.rowcount > 0
        verdict = audit.look(claims, cast)
        transaction.set_rollback(True)
    return is_done and not verdict.is_clean
