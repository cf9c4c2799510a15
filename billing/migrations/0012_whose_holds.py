from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0011_watched")]

    operations = [
        migrations.AddField(
            model_name="hold",
            name="by_platform",
            field=models.BooleanField(db_default=False, default=False),
        ),
        AddIndexConcurrently(
            model_name="hold",
            index=models.Index(fields=["account", "-id"], name="hold_of_account"),
        ),
    ]
