"""The filters of the audit log read an index, however many events there are.

`EVENTS_TO_EXPLAIN=1000000 pytest tests/accounts/events/test_filter_indexes.py` tries it with a million.
"""

import os
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q

from accounts.api.events import EventFilter
from accounts.lib import identifiers
from accounts.models import Event, Organization

EVENTS = int(os.environ.get("EVENTS_TO_EXPLAIN", "3000"))

FILL = """
INSERT INTO accounts_event (id, organization_id, type, data, actor, targets, context, created_at)
SELECT (%(first)s::text || lpad(to_hex(n), 12, '0'))::uuid, %(organization)s, 'organization.resumed', '{}',
       jsonb_build_object('kind', 'person', 'id', 'user:' || n %% 1000), jsonb_build_array('key_' || n %% 1000), '{}',
       now()
  FROM generate_series(1, %(events)s) AS n
"""


@pytest.fixture
def many(organization: Organization) -> Organization:
    id: UUID = identifiers.uuid7()
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"first": str(id)[:24], "organization": organization.pk, "events": EVENTS})
        cursor.execute("ANALYZE accounts_event")
    return organization


@pytest.mark.parametrize(
    ("params", "index"),
    [({"actor": "user:7"}, "actor"), ({"target": "key_7"}, "target"), ({"target": "key_none"}, "target")],
)
def test_a_filter_reads_its_index(many: Organization, params: Any, index: str) -> None:
    events = Event.objects.within(many).order_by("-id")
    rows = EventFilter(params, queryset=events).qs[:50]
    plan = rows.explain(analyze=True)
    assert f"event_of_{index}" in plan, plan
    assert "Seq Scan on accounts_event_before" not in plan, plan  # the others are empty
    assert Event.objects.filter(Q(actor__id="user:7")).count() == EVENTS // 1000
