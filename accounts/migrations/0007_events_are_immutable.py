import accounts.lib.jsonb
from django.db import migrations, models

IMMUTABLE = """
CREATE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: what happened stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_immutable BEFORE UPDATE OR DELETE ON accounts_event
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON accounts_event
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_budget_index")]

    operations = [
        migrations.RunSQL(IMMUTABLE),
        migrations.AlterField(
            model_name="event",
            name="data",
            field=models.JSONField(decoder=accounts.lib.jsonb.Decoder, default=dict, encoder=accounts.lib.jsonb.Encoder),
        ),
    ]
