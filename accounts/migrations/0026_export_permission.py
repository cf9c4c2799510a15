from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0025_sign_in_elsewhere'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='organization',
            options={'permissions': [('export_rows', 'Can export rows of the admin')]},
        ),
    ]
