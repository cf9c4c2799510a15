"""Whether this database is a copy. A copy charges no cards, and sends no mail and no webhooks.

A backup doesn't have the row that says which database is the real one. One that was copied in another way is found out
by the identifier of its PostgreSQL cluster, which `initdb` makes; a standby has that of its primary, and is no copy.
`manage.py adopt` makes a copy the real one.
"""

from django.db.models.expressions import RawSQL

from accounts.models import Installation

HINT = "This database is a copy. If it is the real one from now on: manage.py adopt"
CLUSTER = RawSQL("(SELECT system_identifier::text FROM pg_control_system())", ())


def is_copy() -> bool:
    return not Installation.objects.filter(is_copy=False, system_identifier=CLUSTER).exists()


def adopt() -> None:
    """From now on, this database is the real one."""
    Installation.objects.update_or_create(id=1, defaults={"is_copy": False, "system_identifier": CLUSTER})


def mark() -> None:
    """From now on, this database is a copy."""
    Installation.objects.update(is_copy=True)
