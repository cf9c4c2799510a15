import accounts.lib.money
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.utils import timezone

from accounts.lib import months


# Partitioned by arrival: the leaf for now always exists, and a log of 2015 needs none of 2015. The unique index on
# (account_id, organization_id, id) is made on each leaf, since the parent can't have it without recorded_at. There is
# no default partition.
TABLE = """
CREATE TABLE usage_event (
    account_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    id varchar(100) NOT NULL,
    key_id uuid,
    meter_id bigint NOT NULL,
    environment varchar(4) NOT NULL,
    endpoint text NOT NULL,
    quantity numeric(24, 9) NOT NULL CHECK (quantity >= 0),
    failed boolean NOT NULL,
    credits numeric(24, 9) NOT NULL CHECK (credits >= 0),
    entry_seq bigint CHECK (credits = 0 OR entry_seq IS NOT NULL),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL CHECK (recorded_at >= occurred_at),
    properties jsonb NOT NULL,
    hold_id uuid,
    late boolean NOT NULL DEFAULT false
) PARTITION BY RANGE (recorded_at);
CREATE INDEX usage_event_by_time ON usage_event (account_id, organization_id, occurred_at);
"""

# The leaves inherit the guard of rows, those to come as well. TRUNCATE has to be refused on each leaf.
IMMUTABLE = """
CREATE FUNCTION usage_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: an event is taken back by a void', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER usage_event_immutable BEFORE UPDATE OR DELETE ON usage_event
    FOR EACH ROW EXECUTE FUNCTION usage_refuse_change();
CREATE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON usage_event
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change();
"""

# Every batch rewrites the rows of the current quarter of an hour and month.
ROOM = """
ALTER TABLE usage_usagerollup SET (fillfactor = 70);
ALTER TABLE usage_endpointrollup SET (fillfactor = 70);
ALTER TABLE usage_volume SET (fillfactor = 70);
"""


# Django takes `id` for the primary key; in the database the payer leads it, as it leads every key of these tables.
PAYER_FIRST = """
ALTER TABLE usage_usagerollup DROP CONSTRAINT usage_usagerollup_pkey, ADD PRIMARY KEY (account_id, id);
ALTER TABLE usage_endpointrollup DROP CONSTRAINT usage_endpointrollup_pkey, ADD PRIMARY KEY (account_id, id);
"""


# As `usage.storage.partitions` made them when this was written: a migration must not change with the code.
LEAF = """
CREATE TABLE {leaf} (LIKE usage_event INCLUDING ALL);
CREATE UNIQUE INDEX {leaf}_once ON {leaf} (account_id, organization_id, id);
ALTER TABLE usage_event ATTACH PARTITION {leaf} FOR VALUES FROM ('{start}') TO ('{end}');
CREATE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON {leaf}
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change();
"""


def first_partitions(apps, schema_editor):
    this_month = months.month_of(timezone.now())
    for month in (months.shift(this_month, n) for n in range(4)):
        start, end = (moment.isoformat() for moment in months.bounds(month))
        schema_editor.execute(LEAF.format(leaf=f"{month:usage_event_%Y_%m}", start=start, end=end))


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('apikeys', '0001_initial'),
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'organization_id', 'id', 'recorded_at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('id', models.CharField(max_length=100)),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('endpoint', models.TextField()),
                ('quantity', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('failed', models.BooleanField()),
                ('credits', accounts.lib.money.AmountField(decimal_places=9, max_digits=24)),
                ('entry_seq', models.BigIntegerField(null=True)),
                ('occurred_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField()),
                ('properties', models.JSONField(default=dict)),
                ('hold_id', models.UUIDField(null=True)),
                ('late', models.BooleanField(default=False)),
            ],
            options={
                'db_table': 'usage_event',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='RetiredPartition',
            fields=[
                ('month', models.DateField(primary_key=True, serialize=False)),
                ('retired_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='EndpointRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('bucket', models.DateTimeField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('requests', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('credits', models.DecimalField(decimal_places=9, max_digits=34)),
                ('endpoint', models.TextField()),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='apikeys.apikey')),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='billing.meter')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account_id', 'organization', 'bucket', 'meter', 'key', 'endpoint'), name='endpoint_rollup_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='EventVoid',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'organization_id', 'event_id', 'recorded_at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('event_id', models.CharField(max_length=100)),
                ('recorded_at', models.DateTimeField()),
                ('entry_seq', models.BigIntegerField(null=True)),
                ('reason', models.CharField(max_length=200)),
                ('actor', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField()),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
        ),
        migrations.CreateModel(
            name='ImportedFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('digest_read', models.BinaryField(default=b'', max_length=32)),
                ('name', models.CharField(max_length=255)),
                ('lines_read', models.BigIntegerField(default=0)),
                ('events', models.BigIntegerField(default=0)),
                ('skipped', models.BigIntegerField(default=0)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('meter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.meter')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'meter', 'digest'), name='imported_file_once')],
            },
        ),
        migrations.CreateModel(
            name='UsageRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.UUIDField()),
                ('bucket', models.DateTimeField()),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test')], max_length=4)),
                ('requests', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('credits', models.DecimalField(decimal_places=9, max_digits=34)),
                ('key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='apikeys.apikey')),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='billing.meter')),
                ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['id'], name='usage_rollup_by_id')],
                'constraints': [models.UniqueConstraint(fields=('account_id', 'organization', 'bucket', 'meter', 'key'), name='usage_rollup_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Volume',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'meter_id', 'month', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('month', models.DateField()),
                ('quantity', models.DecimalField(decimal_places=9, max_digits=34)),
                ('requests', models.BigIntegerField(db_default=0, default=0)),
                ('meter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='billing.meter')),
            ],
        ),
        migrations.RunSQL(PAYER_FIRST),
        migrations.RunSQL(TABLE),
        migrations.RunSQL(IMMUTABLE),
        migrations.RunSQL(ROOM),
        migrations.RunPython(first_partitions, migrations.RunPython.noop),
    ]
