from django.db import migrations

from usage import partitions

# The leaves inherit the one for rows, those to come as well. TRUNCATE has to be refused on each leaf.
IMMUTABLE = """
CREATE FUNCTION usage_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: an event is taken back by a void', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER usage_event_immutable BEFORE UPDATE OR DELETE ON usage_event
    FOR EACH ROW EXECUTE FUNCTION usage_refuse_change();
CREATE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON usage_event
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change();
"""


def guard_leaves(apps, schema_editor):
    partitions.guard()


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_volume_requests")]

    operations = [
        migrations.RunSQL(IMMUTABLE),
        migrations.RunPython(guard_leaves, migrations.RunPython.noop),
    ]
