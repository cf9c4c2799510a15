from typing import ClassVar

from django.db import models

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.models.tenancy import UsageQuerySet


class RollupBase(models.Model):
    """Sums over a quarter of an hour of `occurred_at`, [bucket, bucket + 15 min).

    The database's primary key is (account_id, id), so `id` alone is not unique there.
    """

    account_id = models.UUIDField()
    organization = models.ForeignKey(Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    bucket = models.DateTimeField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    key = models.ForeignKey(ApiKey, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    environment = models.CharField(max_length=4, choices=ApiKey.Environment.choices)
    requests = models.BigIntegerField()
    failed = models.BigIntegerField()
    quantity = models.DecimalField(max_digits=34, decimal_places=9)
    credits = models.DecimalField(max_digits=34, decimal_places=9)

    class Meta:
        abstract = True


class UsageRollup(RollupBase):
    """What each key used of each meter."""

    objects: ClassVar[UsageQuerySet["UsageRollup"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["id"], name="usage_rollup_by_id")]  # the admin opens a row by its id
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "organization", "bucket", "meter", "key"],
                nulls_distinct=False,
                name="usage_rollup_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests at {self.bucket:%Y-%m-%d %H:%M}"


class EndpointRollup(RollupBase):
    """The same by endpoint, in a table of its own, so that totals stay small and quick."""

    endpoint = models.TextField()

    objects: ClassVar[UsageQuerySet["EndpointRollup"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "organization", "bucket", "meter", "key", "endpoint"],
                nulls_distinct=False,
                name="endpoint_rollup_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests of {self.endpoint}"
