from django.db import models
from django.utils import timezone

from accounts.models import Organization, User


class DismissedChecklist(models.Model):
    """A person doesn't want to see the first steps of an organization any more."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    dismissed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="dismissed_checklist_once")]

    def __str__(self) -> str:
        return f"the first steps of {self.organization_id}, by user {self.user_id}"
