"""Whether this database is a copy. A copy charges no cards, and sends no mail and no webhooks.

A backup doesn't have the row that says which database is the real one. One that was copied in another way is found out
by the identifier of its PostgreSQL cluster, which `initdb` makes; a standby has that of its primary, and is no copy.
So has a cluster that was recovered to a point in time, but its settings name that point.
`manage.py adopt` makes a copy the real one.
"""

from django.db.models import F, Q, TextField
from django.db.models.expressions import RawSQL

from accounts.models import Installation

HINT = "This database is a copy. If it is the real one from now on: manage.py adopt"
CLUSTER = RawSQL("(SELECT system_identifier::text FROM pg_control_system())", ())
# At most one of them is set: https://www.postgresql.org/docs/current/runtime-config-wal.html
RECOVERED_TO = RawSQL(
    "(current_setting('recovery_target') || current_setting('recovery_target_lsn') || "
    "current_setting('recovery_target_name') || current_setting('recovery_target_time') || "
    "current_setting('recovery_target_xid'))",
    (),
    output_field=TextField(),
)


def is_copy() -> bool:
    real = Installation.objects.alias(point=RECOVERED_TO).filter(is_copy=False, system_identifier=CLUSTER)
    return not real.filter(Q(point="") | Q(point=F("recovered_to"))).exists()


def adopt() -> None:
    """From now on, this database is the real one."""
    real = {"is_copy": False, "system_identifier": CLUSTER, "recovered_to": RECOVERED_TO}
    Installation.objects.update_or_create(id=1, defaults=real)


def mark() -> None:
    """From now on, this database is a copy."""
    Installation.objects.update(is_copy=True)
