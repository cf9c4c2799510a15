"""Sending again what was sent before: one delivery at once, many as a job of batches.

The job is a row. Each batch is a transaction that also moves the job's cursor on, so a job that is killed goes on where
it was, and nothing is sent again twice.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.lib import broker
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Delivery, Redelivery, WebhookEndpoint
from accounts.webhooks import endpoints

WITHIN = timedelta(days=14)
MOST = 10_000
BATCH = 500
TASK = "accounts.tasks.redeliver_webhooks"

Status = Delivery.Status


class RedeliveryUnderWay(Conflict):
    """An endpoint has one redelivery at a time."""

    code = "redelivery_under_way"
    detail = "A redelivery of this endpoint is still under way."


@transaction.atomic
def redeliver(delivery: Delivery) -> Delivery:
    """Sends it again, under the same `webhook-id`, with a full set of attempts."""
    row = Delivery.objects.select_for_update(no_key=True, of=("self",)).select_related("endpoint").get(pk=delivery.pk)
    _again(Delivery.objects.filter(pk=row.pk), timezone.now())
    endpoints.record(row.endpoint, "redelivered", {"deliveries": 1})
    row.refresh_from_db()
    return row


@transaction.atomic
def begin(
    endpoint: WebhookEndpoint,
    now: datetime,
    *,
    since: datetime,
    until: datetime | None = None,
    only_failed: bool = True,
) -> Redelivery:
    """Plans to send again what happened in `[since, until)`, up to 10,000 and the oldest first."""
    row = endpoints.lock(endpoint)
    if since < now - WITHIN:
        raise InvalidField("since", "Must be at most 14 days back.")
    if since >= now:
        raise InvalidField("since", "Must be in the past.")
    if until and until <= since:
        raise InvalidField("until", "Must be later than since.")
    job = Redelivery(endpoint=row, since=since, until=min(until or now, now), only_failed=only_failed, created_at=now)
    job.total = len(_left(job)[:MOST].values_list("pk"))
    if not job.total:
        job.finished_at = now
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError as error:
        raise RedeliveryUnderWay from error
    endpoints.record(row, "redelivered", {"deliveries": job.total})
    broker.nudge(TASK)
    return job


def run(now: datetime) -> int:
    """Works on all jobs until they are done; returns how many deliveries are sent again."""
    count = 0
    while batch := _next_batch(now):
        count += batch
    return count


@transaction.atomic
def _next_batch(now: datetime) -> int:
    """One batch of the oldest job that nobody else works on. A job at its end is finished."""
    jobs = Redelivery.objects.select_for_update(skip_locked=True, no_key=True).filter(finished_at=None)
    job = jobs.order_by("created_at").first()
    if job is None:
        return 0
    ids = list(_left(job).values_list("pk", flat=True)[: min(BATCH, job.total - job.done)])
    if ids:
        _again(Delivery.objects.filter(pk__in=ids), now)
        job.cursor, job.done = ids[-1], job.done + len(ids)
    if len(ids) < BATCH or job.done == job.total:
        job.finished_at = now
    job.save(update_fields=["cursor", "done", "finished_at"])
    return len(ids)


def _left(job: Redelivery) -> QuerySet[Delivery]:
    """The deliveries past the job's cursor, the oldest first. What waits anyway is not among them."""
    wanted = [Status.FAILED] if job.only_failed else [Status.FAILED, Status.SUCCEEDED, Status.CANCELLED]
    rows = Delivery.objects.filter(endpoint=job.endpoint_id, status__in=wanted)
    rows = rows.filter(created_at__gte=job.since, created_at__lt=job.until)
    return (rows.filter(pk__gt=job.cursor) if job.cursor else rows).order_by("pk")


def _again(deliveries: QuerySet[Delivery], now: datetime) -> None:
    deliveries.update(status=Status.PENDING, attempt_count=0, next_attempt_at=now)
    broker.nudge(endpoints.DELIVER)
