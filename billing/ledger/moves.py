"""The moves within a payer's tree. With them, whatever is taken back goes to the nodes that were above it when it was
counted.

Usage and captures count in the nodes above at that time, under the payer's lock. A move takes the same lock and notes
the last entry before it: so for each entry it is known which nodes were above.
"""

from datetime import datetime
from uuid import UUID

from accounts.lib import sql
from accounts.models import Organization
from billing.ledger.balances import Locked
from billing.models import Move


def record(moved: Organization, path_before: list[UUID], payer: Locked, now: datetime) -> None:
    """Note a move that was just made, under the payer's lock."""
    sql.require_transaction()
    moves = Move.objects.filter(account_id=moved.root_id)
    Move.objects.create(
        account_id=moved.root_id,
        number=(moves.order_by("-number").values_list("number", flat=True).first() or 0) + 1,
        organization_id=moved.pk,
        path_before=path_before,
        path_after=moved.path,
        seq=payer.seq,
        moved_at=now,
    )


def path_at(organization: Organization, seq: int) -> list[UUID]:
    """The path of the organization, from the root down to itself, when its payer's entry `seq` was posted.

    Call it under the payer's lock, with an organization that was read under it.
    """
    path = list(organization.path)
    for move in Move.objects.filter(account_id=organization.root_id, seq__gte=seq).order_by("-number"):
        if move.organization_id in path:
            path = [*move.path_before, *path[path.index(move.organization_id) + 1 :]]
    return path
