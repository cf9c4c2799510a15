from django.db import models
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.fields import EmailField
from accounts.models.users import User


class EmailCode(models.Model):
    """A code that was sent to an address. Whoever types it in can read the mail of that address.

    One row is one attempt. The code itself is in no row. `data` is what happens once the code comes back, as encrypted
    JSON.
    """

    class Purpose(models.TextChoices):
        SIGN_UP = "sign_up"
        CHANGE = "change"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    email = EmailField(max_length=250)
    network = models.CharField(max_length=45, blank=True, db_default="", default="")
    data = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["email", "purpose"], name="email_code_of_address")]

    def __str__(self) -> str:
        return f"{self.purpose} code for {self.email}"

    @property
    def public_id(self) -> str:
        return f"su_{self.pk.hex}"


class EmailChange(models.Model):
    """A change that the former address can take back, by a link whose token has this digest."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    old = EmailField(max_length=250)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"change of {self.user_id}"
