"""Finding events that were recorded already: by the unique index, also before a leaf has statistics."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Organization
from tests.usage.metering.batches import event, record
from usage.metering import deduplication


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_it_walks_through_the_unique_index_alone(funded: Organization, is_analyzed: bool) -> None:
    """By the index by time, a batch would compare each of the payer's events with each of its own."""
    for number in range(3):
        record(*(event(funded, id=f"{number}-{n}") for n in range(500)))
    sent = [{"account": funded.pk.hex, "organization": funded.pk.hex, "ids": [f"x-{n}" for n in range(500)]}]
    parameters: dict[str, Any] = {"sent": json.dumps(sent), "window": timezone.now() - timedelta(days=35)}
    with connection.cursor() as cursor:
        if is_analyzed:
            cursor.execute("ANALYZE usage_event")
        for statement in (deduplication.PLANNED_ANEW, *deduplication.ROWS_ALONE_COST):
            cursor.execute(statement)
        cursor.execute(f"EXPLAIN {deduplication.KNOWN}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "_once" in plan
    assert "occurred_at" not in plan


def test_the_planners_costs_are_as_before(funded: Organization) -> None:
    def costs() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name LIKE '%%cost%%' ORDER BY name")
            return list(cursor.fetchall())

    before = costs()
    with transaction.atomic():
        record(event(funded))
        assert costs() == before
