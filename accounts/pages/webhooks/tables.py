"""The lists of the pages, as CSV."""

from django.db.models import QuerySet

from accounts.lib import spreadsheets
from accounts.models import Delivery, Redelivery, WebhookEndpoint

MOST = 10_000


def of_endpoints(rows: QuerySet[WebhookEndpoint]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "url", "description", "event_types", "status", "created_at"),
        (
            (row.public_id, row.url, row.description, " ".join(row.event_types), row.status, row.created_at.isoformat())
            for row in rows
        ),
    )


def of_deliveries(rows: QuerySet[Delivery]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "event", "type", "status", "attempts", "created_at"),
        (
            [
                *(row.public_id, row.event.public_id, row.event.type),
                *(row.status, row.attempt_count, row.created_at.isoformat()),
            ]
            for row in rows
        ),
    )


def of_replays(rows: QuerySet[Redelivery]) -> bytes:
    return spreadsheets.csv_of(
        ("id", "created_at", "since", "until", "only_failed", "total", "done", "finished_at"),
        (
            [
                *(row.public_id, row.created_at.isoformat(), row.since.isoformat(), row.until.isoformat()),
                *("true" if row.only_failed else "false", row.total, row.done),
                row.finished_at.isoformat() if row.finished_at else None,
            ]
            for row in rows
        ),
    )
