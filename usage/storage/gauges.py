"""Metrics of the whole installation for Prometheus. They are cheap, because they are read every few seconds."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import RedisError

from accounts.lib import broker, months, replica
from accounts.models import Delivery, Email, Event, UnpublishedEvent, WebhookEndpoint
from billing.models import AutoRecharge, Payment, ReceivedEvent
from usage.reporting import installation
from usage.storage import partitions

HEARTBEAT = "heartbeat"  # in the cache: when a task last ran, as a Unix time
OPEN = (Payment.Status.PENDING, Payment.Status.ACTION_REQUIRED)


class InstallationCollector(Collector):
    """Asks the database at each scrape. Without an answer `tollgate_database_up` is 0, and the others are missing."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = 1
        try:
            yield from list(gauges(timezone.now()))
        except DatabaseError:
            up = 0
        yield GaugeMetricFamily("tollgate_database_up", "Whether the database answers.", value=up)


def gauges(now: datetime) -> Iterator[GaugeMetricFamily]:
    yield labelled("tollgate_waiting_rows", "Rows that wait in a queue.", "queue", installation.waiting())
    yield labelled("tollgate_waiting_seconds", "How long the oldest one is due.", "queue", overdue(now))
    yield labelled("tollgate_webhook_endpoints", "Endpoints by lane.", "lane", endpoints())
    yield labelled("tollgate_recharges", "Organizations with auto-recharge, by state.", "state", recharges())
    yield labelled("tollgate_open_payments", "Payments whose end isn't known yet.", "status", payments())
    yield gauge("tollgate_celery_tasks", "Tasks in the queues of the broker.", broker.tasks_waiting())
    yield gauge("tollgate_heartbeat_seconds", "Since beat and a worker last ran a task.", silence(now))
    yield gauge("tollgate_partition_days", "Until the last partition of usage ends.", partition_days(now))
    yield from replication()
    proof = installation.last_proof()
    yield gauge("tollgate_ledger_differences", "Found by the last proof.", proof.differences if proof else None)
    seconds = (now - proof.finished_at).total_seconds() if proof else None
    yield gauge("tollgate_ledger_proof_seconds", "Since the books were last proved.", seconds)


def overdue(now: datetime) -> dict[str, float]:
    """Seconds since the oldest row of each queue was due; 0 if nothing is."""
    unpublished = UnpublishedEvent.objects.order_by("event_id").values("event_id")[:1]
    due = {
        "events": Event.objects.filter(pk__in=unpublished).aggregate(at=Min("created_at"))["at"],
        "webhooks": Delivery.objects.filter(status=Delivery.Status.PENDING).aggregate(at=Min("next_attempt_at"))["at"],
        "emails": Email.objects.aggregate(at=Min("next_attempt_at"))["at"],
        "gateway events": ReceivedEvent.objects.filter(handled_at=None).aggregate(at=Min("next_attempt_at"))["at"],
    }
    return {queue: max((now - moment).total_seconds(), 0.0) if moment else 0.0 for queue, moment in due.items()}


def beat(now: datetime) -> None:
    """Record that beat and a worker are alive. Called by a task that beat starts."""
    cache.set(HEARTBEAT, now.timestamp(), timeout=None)


def silence(now: datetime) -> float | None:
    """Seconds since beat and a worker were last alive; None if that isn't known."""
    try:
        moment = cache.get(HEARTBEAT)
    except RedisError:
        return None
    return now.timestamp() - moment if moment else None


def partition_days(now: datetime) -> float:
    """Days until there's no partition that usage could go to."""
    with connection.cursor() as cursor:
        cursor.execute(partitions.LEAVES)
        names = [leaf for leaf, is_pending in cursor.fetchall() if not is_pending]
    if not names:
        return 0
    end = months.bounds(datetime.strptime(max(names), partitions.NAME).replace(tzinfo=UTC).date())[1]
    return (end - now).total_seconds() / 86_400


def replication() -> Iterator[GaugeMetricFamily]:
    """Both are empty without a replica, and the lag is empty while the replica can't be used."""
    up = lag = None
    if replica.is_configured():
        with suppress(DatabaseError, InterfaceError, replica.Unusable):
            lag = replica.lag()
        up = float(lag is not None)
    yield gauge("tollgate_replica_up", "Whether the read replica answers, and follows.", up)
    yield gauge("tollgate_replica_lag_seconds", "How far the read replica is behind.", lag)


def gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    """Without a value the family is empty, since nothing is known."""
    return GaugeMetricFamily(name, text, value=value)


def labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def endpoints() -> dict[str, int]:
    enabled = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.ENABLED)
    failing = enabled.filter(failures__gt=0).count()
    return {"good": enabled.count() - failing, "failing": failing}


def recharges() -> dict[str, int]:
    """`on` is one that waits for its balance to fall, `failing` is between rounds, the others are paused."""
    counts = {"on": 0, "failing": 0}
    rows = AutoRecharge.objects.filter(enabled=True).values_list("paused", "failed_rounds").annotate(n=Count("pk"))
    for paused, failed, number in rows:
        state = paused or ("failing" if failed else "on")
        counts[state] = counts.get(state, 0) + number
    return counts


def payments() -> dict[str, int]:
    return {status.value: installation.capped(Payment.objects.filter(status=status)) for status in OPEN}
