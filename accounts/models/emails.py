from django.db import models
from django.utils import timezone

from accounts.lib import identifiers


class Email(models.Model):
    """One email that is to go out. The rows are the queue: a row is deleted once its email is sent, or out of date.

    `context` is what the template gets, as JSON. It is encrypted, because it may hold a code or a link that signs in.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    template = models.CharField(max_length=60)
    to = models.EmailField(max_length=250)
    context = models.BinaryField()
    language = models.CharField(max_length=8, blank=True, default="", db_default="")  # if the recipient chose none
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.template} to {self.to}"
