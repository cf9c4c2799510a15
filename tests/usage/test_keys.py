"""The payer leads each unique key of the hot tables, so that they can be distributed by it."""

import pytest
from django.db import connection

HOT = ("usage_event", "usage_usagerollup", "usage_endpointrollup", "usage_volume", "usage_eventvoid")

UNIQUE_KEYS = """
SELECT i.indexrelid::regclass::text, a.attname
  FROM pg_index i
  JOIN pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_inherits p ON p.inhrelid = t.oid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
 WHERE i.indisunique AND coalesce(p.inhparent, t.oid) = %s::regclass
"""


@pytest.mark.parametrize("table", HOT)
def test_the_payer_leads_every_unique_key(db: None, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(UNIQUE_KEYS, [table])
        keys = dict(cursor.fetchall())
    assert keys
    assert set(keys.values()) == {"account_id"}
