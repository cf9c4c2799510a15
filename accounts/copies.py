"""Whether this database is a copy. A copy charges no cards, and sends no mail and no webhooks.

A backup doesn't contain the row that says which database is the real one. A database that was copied in another way is
recognized by the identifier of its PostgreSQL cluster, which `initdb` makes, or by its timeline: PostgreSQL begins a
new timeline whenever a recovery ends. So a promoted standby is a copy as well. With DATABASE_FAILOVER it isn't; then
the timeline is ignored, and we check whether the server's settings name a recovery's point in time. `manage.py adopt`
makes a copy the real one.
"""

from django.conf import settings
from django.db.models import F, Q, TextField
from django.db.models.expressions import RawSQL

from accounts.models import Installation

HINT = "This database is a copy. If it is the real one from now on: manage.py adopt"
CLUSTER = RawSQL("(SELECT system_identifier::text FROM pg_control_system())", ())
TIMELINE = RawSQL("left(pg_walfile_name(pg_current_wal_lsn()), 8)", (), output_field=TextField())
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
    real = real.filter(Q(point="") | Q(point=F("recovered_to")))
    return not (real if settings.DATABASE_FAILOVER else real.filter(timeline=TIMELINE)).exists()


def adopt() -> None:
    """From now on, this database is the real one."""
    real = {"system_identifier": CLUSTER, "timeline": TIMELINE, "recovered_to": RECOVERED_TO}
    Installation.objects.update_or_create(id=1, defaults={"is_copy": False, **real})


def mark() -> None:
    """From now on, this database is a copy."""
    Installation.objects.update(is_copy=True)
