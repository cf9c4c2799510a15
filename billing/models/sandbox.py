from django.db import models
from django.utils import timezone


class SandboxObject(models.Model):
    """What the sandbox gateway remembers: a customer, card, session, setup, intent, refund, dispute or event.

    It stands for another company's database, so nothing of ours refers to it, and it refers to nothing of ours.
    """

    id = models.CharField(max_length=60, primary_key=True)
    kind = models.CharField(max_length=10)
    body = models.JSONField()
    idempotency_key = models.CharField(max_length=200, null=True, unique=True)  # noqa: DJ001
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["kind", "created_at"], name="sandbox_object_of_kind")]

    def __str__(self) -> str:
        return self.id
