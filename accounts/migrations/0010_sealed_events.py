"""Events are sealed by a chain of digests, and what they know about a person stands in a table of its own.

Tables with the ids of events lose their foreign keys: the next migration partitions the events.
"""

import django.db.models.deletion
from django.db import migrations, models

# Version 0.1.0 publishes nothing. Installations between releases publish and seal their events anew, in the same order.
AGAIN = """
INSERT INTO accounts_unpublishedevent (event_id) SELECT event_id FROM accounts_publishedevent ON CONFLICT DO NOTHING;
DELETE FROM accounts_publishedevent;
"""

IMMUTABLE = """
CREATE TRIGGER published_event_immutable BEFORE UPDATE OR DELETE ON accounts_publishedevent
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER published_event_no_truncate BEFORE TRUNCATE ON accounts_publishedevent
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER personal_data_erased_or_kept BEFORE UPDATE ON accounts_personaldata
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
"""
MUTABLE = """
DROP TRIGGER published_event_immutable ON accounts_publishedevent;
DROP TRIGGER published_event_no_truncate ON accounts_publishedevent;
DROP TRIGGER personal_data_erased_or_kept ON accounts_personaldata;
"""


def of_event(kind, **options):
    return kind(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to="accounts.event", **options)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_webhooks")]

    operations = [
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
        migrations.AddField("event", "personal_digest", models.BinaryField(null=True)),
        migrations.AddField("publishedevent", "digest", models.BinaryField(), preserve_default=False),
        migrations.CreateModel(
            name="PersonalData",
            fields=[
                (
                    "event",
                    of_event(
                        models.OneToOneField, primary_key=True, related_name="personal_data", serialize=False
                    ),
                ),
                ("salt", models.BinaryField()),
                ("text", models.TextField()),
            ],
            options={"verbose_name_plural": "personal data"},
        ),
        migrations.AlterField("delivery", "event", of_event(models.ForeignKey, related_name="+")),
        migrations.AlterField(
            "publishedevent",
            "event",
            of_event(models.OneToOneField, primary_key=True, related_name="published", serialize=False),
        ),
        migrations.AlterField(
            "unpublishedevent",
            "event",
            of_event(models.OneToOneField, primary_key=True, related_name="unpublished", serialize=False),
        ),
        migrations.RunSQL(IMMUTABLE, MUTABLE),
    ]
