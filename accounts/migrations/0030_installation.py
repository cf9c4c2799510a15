from django.db import migrations, models

ADOPT = """
INSERT INTO accounts_installation (id, system_identifier) SELECT 1, system_identifier::text FROM pg_control_system()
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0029_export_permission'),
    ]

    operations = [
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('system_identifier', models.CharField(max_length=20)),
                ('is_copy', models.BooleanField(db_default=False, default=False)),
                ('backed_up_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='installation_is_one')],
            },
        ),
        migrations.RunSQL(ADOPT, migrations.RunSQL.noop),
    ]
