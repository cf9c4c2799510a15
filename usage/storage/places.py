"""The places of organizations in their payers' trees, from one ledger entry to another."""

import json
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from accounts.lib import sql
from accounts.models import Organization
from billing.models import Move

LAST = 2**63 - 1

Place = dict[str, Any]


def parameters(payers: Collection[UUID]) -> dict[str, str]:
    """`places`, as JSON: an organization had this path at the entries of its payer after `after`, through `through`."""
    moves: defaultdict[UUID, list[Move]] = defaultdict(list)
    for move in Move.objects.filter(account_id__in=payers).order_by("-number"):
        moves[move.account_id].append(move)
    places: list[Place] = []
    children = Organization.objects.filter(root__in=payers).exclude(parent=None)
    for id, root, path in children.values_list("pk", "root_id", "path"):
        places += _places(id, path, moves[root])
    return {"places": json.dumps(places, default=str)}


def _places(organization: UUID, path: list[UUID], moves: list[Move]) -> list[Place]:
    """The places of one organization: from its current path back through its payer's moves, newest first."""
    places, through = [], LAST
    for move in moves:
        if move.organization_id in path:
            places.append(_place(organization, move.seq, through, path))
            path = [*move.path_before, *path[path.index(move.organization_id) + 1 :]]
            through = move.seq
    return [*places, _place(organization, 0, through, path)]


def _place(organization: UUID, after: int, through: int, path: list[UUID]) -> Place:
    return {"organization": organization, "after": after, "through": through, "path": sql.array(path)}
