"""Events are partitioned by their id, which begins with the time. The table so far becomes the first partition.

Nothing is copied, and nothing is scanned: the check that was validated before says that all rows fit, and the indexes
are those that are there. Others wait for some milliseconds. If the table can't be locked soon, because a transaction
holds it, nothing has changed, and `migrate` tries again.
"""

import re

from django.db import migrations
from django.utils import timezone

from accounts.lib import identifiers, months

SWAP = """
LOCK TABLE accounts_event IN ACCESS EXCLUSIVE MODE;
ALTER TABLE accounts_event RENAME TO accounts_event_before;
ALTER INDEX accounts_event_pkey RENAME TO accounts_event_before_pkey;
ALTER INDEX event_of_organization RENAME TO accounts_event_before_of_organization;
DROP TRIGGER event_immutable ON accounts_event_before;
CREATE TABLE accounts_event (LIKE accounts_event_before INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY RANGE (id);
ALTER TABLE accounts_event ADD PRIMARY KEY (id),
    ADD CONSTRAINT event_of_known_organization FOREIGN KEY (organization_id) REFERENCES accounts_organization (id)
        DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX event_of_organization ON accounts_event (organization_id, id DESC);
ALTER TABLE accounts_event ATTACH PARTITION accounts_event_before FOR VALUES FROM (MINVALUE) TO ('{bound}');
ALTER TABLE accounts_event_before DROP CONSTRAINT event_before_bound;
CREATE TRIGGER event_immutable BEFORE UPDATE OR DELETE ON accounts_event
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON accounts_event
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""

# As `usage.storage.event_partitions` makes them.
LEAF = """
CREATE TABLE {leaf} (LIKE accounts_event INCLUDING ALL);
ALTER TABLE accounts_event ATTACH PARTITION {leaf} FOR VALUES FROM ('{start}') TO ('{end}');
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON {leaf}
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""

BOUND = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'event_before_bound'"
GRANTED = """
SELECT format('GRANT %s ON accounts_event TO %s', string_agg(privilege_type, ', '), grantee::regrole)
  FROM pg_class, aclexplode(relacl) WHERE oid = 'accounts_event_before'::regclass AND grantee NOT IN (0, relowner)
 GROUP BY grantee
"""


def swap(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(BOUND)
        bound = re.search(r"[0-9a-f-]{36}", cursor.fetchone()[0])[0]
        cursor.execute(SWAP.format(bound=bound))
        cursor.execute(GRANTED)
        for (grant,) in cursor.fetchall():  # the application goes on with the new table as with the old one
            cursor.execute(grant)
        month = months.shift(months.month_of(timezone.now()), 2)
        while identifiers.first_uuid7(months.bounds(month)[0]).hex < bound.replace("-", ""):
            month = months.shift(month, 1)
        for _ in range(2):
            start, end = (identifiers.first_uuid7(moment) for moment in months.bounds(month))
            cursor.execute(LEAF.format(leaf=f"{month:accounts_event_%Y_%m}", start=start, end=end))
            month = months.shift(month, 1)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0018_bounded_events")]

    operations = [migrations.RunPython(swap)]
