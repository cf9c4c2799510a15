from django.db import models
from django.db.models import F, Q

from accounts.lib import identifiers


class LedgerProof(models.Model):
    """A run of `check_ledger`: how many accounts it looked at, and the differences. `findings` has the first ones."""

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    accounts = models.BigIntegerField()
    differences = models.BigIntegerField()
    findings = models.JSONField(default=list)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(finished_at__gte=F("started_at")), name="ledger_proof_takes_time")
        ]

    def __str__(self) -> str:
        return f"{self.differences} differences at {self.finished_at:%Y-%m-%d %H:%M}"
