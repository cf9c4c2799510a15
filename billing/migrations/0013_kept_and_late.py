import accounts.lib.jsonb
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_whose_holds")]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="kept",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="hold",
            name="late",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="hold",
            name="metadata",
            field=models.JSONField(decoder=accounts.lib.jsonb.Decoder, default=dict, encoder=accounts.lib.jsonb.Encoder),
        ),
    ]
