from django.db import migrations, models

LANGUAGE = models.CharField(blank=True, db_default="", default="", max_length=8)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0032_invitations_of_the_company")]
    operations = [
        migrations.AddField("user", "language", LANGUAGE),
        migrations.AddField("email", "language", LANGUAGE),
    ]
