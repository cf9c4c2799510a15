from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Collate, Lower
from django.utils.timezone import now

from accounts.lib import passwords, timezones
from accounts.models.fields import EmailField


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An operator, made by a command. Whoever can run commands here need not prove the address."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, email_verified_at=now(), **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=email or "")


class User(AbstractBaseUser, PermissionsMixin):
    """A person, who signs in by email."""

    email = EmailField(max_length=250, unique=True, error_messages={"unique": "This email has an account already."})
    email_verified_at = models.DateTimeField(null=True, editable=False)
    name = models.CharField(max_length=100, blank=True)
    timezone = models.CharField(max_length=64, default="UTC", validators=[timezones.validate])
    language = models.CharField(max_length=8, blank=True, default="", db_default="")  # empty: the browser's
    current_organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    is_service = models.BooleanField(default=False, db_default=False, editable=False)  # see ServiceAccount
    created_at = models.DateTimeField(default=now, editable=False)
    erase_at = models.DateTimeField(null=True, editable=False)  # the person asked for it, and may still come back
    erased_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        # The normal form is Python's (`accounts.lib.mailboxes`). The database checks what both agree on: ASCII letters.
        indexes = [
            models.Index(fields=["erase_at"], condition=models.Q(erase_at__isnull=False), name="user_to_erase"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower(Collate("email", "C"))), name="user_email_normal")
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def has_proved_email(self) -> bool:
        """Whether the person has shown that the mailbox is theirs, if this installation asks for it."""
        return self.email_verified_at is not None or not settings.EMAIL_VERIFICATION

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and passwords.normalize(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(raw_password and passwords.normalize(raw_password))

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email
