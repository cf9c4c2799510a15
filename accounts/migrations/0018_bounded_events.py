"""All events so far will be the first partition. A check proves beforehand that they fit, while others read and write.

It leaves room for the events of a month or two, which are written until the next migration has run, and by web
processes of the release before.
"""

from django.db import migrations
from django.utils import timezone

from accounts.lib import identifiers, months

DROP = "ALTER TABLE accounts_event DROP CONSTRAINT IF EXISTS event_before_bound"


def add_check(apps, schema_editor):
    start, _ = months.bounds(months.shift(months.month_of(timezone.now()), 2))
    bound = identifiers.first_uuid7(start)
    schema_editor.execute(DROP)
    schema_editor.execute(
        f"ALTER TABLE accounts_event ADD CONSTRAINT event_before_bound CHECK (id < '{bound}') NOT VALID"
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0017_session_policies")]

    operations = [
        migrations.RunPython(add_check, migrations.RunPython.noop),
        migrations.RunSQL("ALTER TABLE accounts_event VALIDATE CONSTRAINT event_before_bound", DROP),
    ]
