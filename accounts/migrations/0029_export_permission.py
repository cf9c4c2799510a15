from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0028_event_filters'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='organization',
            options={'permissions': [('export_rows', 'Can export rows of the admin')]},
        ),
    ]
