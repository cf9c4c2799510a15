from django.db import migrations
from django.utils import timezone

from usage import partitions

# Partitioned by arrival, so that the leaf for now always exists and a log of 2015 needs none of 2015. The unique index
# of (organization_id, id) stands on each leaf, where ON CONFLICT honours it; the parent could not have it without
# recorded_at. No default partition.
TABLE = """
CREATE TABLE usage_event (
    organization_id uuid NOT NULL,
    id varchar(100) NOT NULL,
    account_id uuid NOT NULL,
    key_id uuid,
    meter_id bigint NOT NULL,
    environment varchar(4) NOT NULL,
    endpoint text NOT NULL,
    quantity numeric(24, 9) NOT NULL CHECK (quantity >= 0),
    failed boolean NOT NULL,
    credits numeric(24, 9) NOT NULL CHECK (credits >= 0),
    entry_seq bigint CHECK (credits = 0 OR entry_seq IS NOT NULL),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    properties jsonb NOT NULL
) PARTITION BY RANGE (recorded_at);
CREATE INDEX usage_event_by_time ON usage_event (organization_id, occurred_at);
"""

# The row of the current quarter of an hour is rewritten by every batch.
ROOM = """
ALTER TABLE usage_usagerollup SET (fillfactor = 70);
ALTER TABLE usage_endpointrollup SET (fillfactor = 70);
"""


def first_partitions(apps, schema_editor):
    partitions.ensure(timezone.now())


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]

    operations = [
        migrations.RunSQL(TABLE),
        migrations.RunSQL(ROOM),
        migrations.RunPython(first_partitions, migrations.RunPython.noop),
    ]
