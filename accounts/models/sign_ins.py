from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models.users import User


class SignInFailures(models.Model):
    """Recent failed sign-ins: of an account from a network, of all accounts from it, or of an account from anywhere.

    `account` is the SHA-256 of an email, so that addresses without an account count in the same way. It is empty for
    all accounts, and `network` is empty for all networks.
    """

    account = models.BinaryField(max_length=32)
    network = models.CharField(max_length=45, blank=True)
    failed_at = ArrayField(models.DateTimeField(), default=list)
    last_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "network"], name="sign_in_failures_once")]
        verbose_name_plural = "sign-in failures"

    def __str__(self) -> str:
        return f"{len(self.failed_at)} failed sign-ins"


class KnownNetwork(models.Model):
    """A network from which a person has signed in. Strangers' failures elsewhere do not keep them out there."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_networks")
    network = models.CharField(max_length=45)
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "network"], name="known_network_once")]

    def __str__(self) -> str:
        return f"user {self.user_id} from {self.network}"
