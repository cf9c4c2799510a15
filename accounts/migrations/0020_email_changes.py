import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.models.fields


class Migration(migrations.Migration):
    dependencies = [("accounts", "0019_partitioned_events")]

    operations = [
        migrations.AlterField(
            "emailcode",
            "purpose",
            models.CharField(choices=[("sign_up", "Sign Up"), ("change", "Change")], max_length=12),
        ),
        migrations.CreateModel(
            name="EmailChange",
            fields=[
                ("digest", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("old", accounts.models.fields.EmailField(max_length=250)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
