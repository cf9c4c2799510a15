from django.db import models
from django.db.models import Q
from django.utils import timezone


class ReceivedEvent(models.Model):
    """An event of the payment gateway, delivered to us or found by asking. The row is the queue.

    It only says which object to look at: `subject` is its kind and `object_id` the gateway's id of it. `occurred_at` is
    by the gateway's clock.
    """

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=20)
    object_id = models.CharField(max_length=255)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now, editable=False)
    handled_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(handled_at=None), name="received_event_due"),
            models.Index(fields=["received_at"], name="received_event_by_time"),
        ]
        constraints = [models.UniqueConstraint(fields=["gateway", "event_id"], name="received_event_once")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class PolledGateway(models.Model):
    """How far a gateway's events were read, by the gateway's own clock, and when it was last compared with our rows."""

    gateway = models.CharField(max_length=20, primary_key=True)
    events_through = models.DateTimeField()
    compared_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.gateway}, read through {self.events_through}"
