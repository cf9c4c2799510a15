from typing import ClassVar

from django.db import models
from django.db.models import Q


class FinancePackage(models.Model):
    """What bookkeeping needs of a month, of all customers, as a signed ZIP. `sha256` is that of the whole ZIP."""

    month = models.DateField(unique=True)
    made_at = models.DateTimeField()
    size = models.BigIntegerField(default=0)
    sha256 = models.BinaryField(max_length=32, default=b"", editable=False)

    class Meta:
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(condition=Q(month__day=1), name="finance_package_of_a_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class FinancePackagePart(models.Model):
    """Some MB of the ZIP. Any machine can make it, and any can serve it."""

    PART: ClassVar[int] = 4 << 20  # bytes

    pk = models.CompositePrimaryKey("package_id", "number")
    package = models.ForeignKey(FinancePackage, on_delete=models.CASCADE, db_index=False, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"part {self.number}"
