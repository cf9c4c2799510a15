from django.db import migrations, models

from accounts import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0013_kept_and_late")]

    operations = migrating.add_index("hold", models.Index(fields=["account", "purpose", "-id"], name="hold_of_account"))
