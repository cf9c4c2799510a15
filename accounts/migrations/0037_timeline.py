from django.db import migrations, models

NOTE = "UPDATE accounts_installation SET timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8)"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0036_recovered_to'),
    ]

    operations = [
        migrations.AddField(
            model_name='installation',
            name='timeline',
            field=models.CharField(db_default='', default='', max_length=8),
        ),
        migrations.RunSQL(NOTE, migrations.RunSQL.noop),
    ]
