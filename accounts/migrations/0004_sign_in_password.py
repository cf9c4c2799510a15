from django.db import migrations, models


class Migration(migrations.Migration):
    """Sign-ins from before have no hash, and end."""

    dependencies = [
        ('accounts', '0003_refresh_races'),
    ]

    operations = [
        migrations.AddField(
            model_name='tokenfamily',
            name='session_auth_hash',
            field=models.CharField(db_default='', editable=False, max_length=64),
        ),
    ]
