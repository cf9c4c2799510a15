"""What the keys consumed.

Usage events are partitioned by the month of their arrival (`usage.storage.partitions`), the rollups are ordinary
tables, and all three agree at every commit: one statement inserts the events and adds them up.

The payer (`account_id`) leads each unique key here, so that the tables can be distributed by it. It is the root of the
organization's tree, which never changes.
"""

from usage.models.checklists import DismissedChecklist
from usage.models.events import UsageEvent
from usage.models.imports import ImportedFile, ImportedRow, ImportedUsage
from usage.models.months import MonthClose, MonthlyUsage
from usage.models.proofs import LedgerProof
from usage.models.retirement import RetiredPartition
from usage.models.rollups import EndpointRollup, UsageRollup
from usage.models.voids import EventVoid
from usage.models.volumes import Volume

__all__ = [
    "DismissedChecklist",
    "EndpointRollup",
    "EventVoid",
    "ImportedFile",
    "ImportedRow",
    "ImportedUsage",
    "LedgerProof",
    "MonthClose",
    "MonthlyUsage",
    "RetiredPartition",
    "UsageEvent",
    "UsageRollup",
    "Volume",
]
