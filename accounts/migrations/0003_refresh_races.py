import uuid

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_invitations_and_security'),
    ]

    operations = [
        migrations.AddField(
            model_name='tokenfamily',
            name='sid',
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
        ),
        migrations.AddField(
            model_name='tokenfamily',
            name='previous_digest',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='tokenfamily',
            name='rotated_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
