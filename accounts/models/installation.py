from django.db import models
from django.db.models import Q


class Installation(models.Model):
    """The one row that says whether this database is the real one, or a copy of it.

    `system_identifier` is that of the PostgreSQL cluster for which it is the real one, and `timeline` the one that the
    cluster was at, as eight hexadecimal digits. `recovered_to` is the point in time that the cluster's settings named
    when it was adopted after a recovery; else empty.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    system_identifier = models.CharField(max_length=20)
    timeline = models.CharField(max_length=8, default="", db_default="")
    recovered_to = models.TextField(default="", db_default="")
    is_copy = models.BooleanField(default=False, db_default=False)
    backed_up_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_is_one")]

    def __str__(self) -> str:
        return self.system_identifier
