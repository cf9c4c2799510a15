from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_watched")]

    operations = [
        migrations.AddField(
            model_name="hold",
            name="by_platform",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
