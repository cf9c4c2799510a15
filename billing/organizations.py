"""Changes of an organization that the payer's ledger has to know of: its time zone, and its place in the tree.

The verbs of `accounts` don't know about the ledger. These take the payer's lock first, and record the change in the
ledger.
"""

from datetime import datetime

from django.db import transaction

from accounts import tree
from accounts.credentials import Credential
from accounts.models import Organization
from billing.ledger import moves, posting
from billing.models import LedgerAccount


@transaction.atomic
def change_timezone(organization: Organization, name: str, *, now: datetime) -> None:
    """Change an organization's time zone. The months of a payer are counted in it from the next turn of the month on.

    If the payer has no account, it is opened here. Otherwise somebody could open it meanwhile, and count in the old
    time zone.
    """
    if organization.is_root:
        zone = posting.lock([organization.pk], now)[organization.pk].zone
        LedgerAccount.objects.filter(pk=organization.pk).update(zones=zone.changed(name, now).stored())
    tree.change(organization, {"timezone": name})


@transaction.atomic
def move(organization: Organization, *, parent: str, by: Credential, address: str, now: datetime) -> Organization:
    """As `tree.move`. What was counted before stays with the nodes that were above it."""
    payer = organization.root_id
    locked = posting.lock([payer], now)
    path_before = list(Organization.objects.values_list("path", flat=True).get(pk=organization.pk))
    moved = tree.move(organization, parent=parent, by=by, address=address)
    moves.record(moved, path_before, locked[payer], now)
    return moved
