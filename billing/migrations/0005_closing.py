from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_subscriptions'),
    ]

    operations = [
        migrations.AddField(
            model_name='billingaccount',
            name='closed_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
