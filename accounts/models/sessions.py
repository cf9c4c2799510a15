from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.users import User


class BrowserSessionQuerySet(models.QuerySet["BrowserSession"]):
    def of_person(self, user: User) -> Self:
        return self.filter(user=user)


class BrowserSession(models.Model):
    """A sign-in to the dashboard: what Django's session of this key does not say of itself.

    As in Django's table, `session_key` is a digest of the key in the cookie (`accounts.lib.session_store`).
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, unique=True)
    network = models.CharField(max_length=45, blank=True, default="")
    user_agent = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(db_index=True)

    objects: ClassVar[BrowserSessionQuerySet] = BrowserSessionQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"session of {self.user_id}"


class SignInChallenge(models.Model):
    """A sign-in at the API whose password was right and whose second factor is awaited. It is used once.

    The database keeps only a digest of the challenge. It ends when the password changes.
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    session_auth_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"challenge of {self.user_id}"
