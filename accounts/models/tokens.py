from uuid import uuid4

from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.users import User


class SigningKey(models.Model):
    """An RSA key pair that signs access tokens. `private_key` is encrypted at rest; one key is current at a time."""

    kid = models.CharField(primary_key=True, max_length=32, editable=False)
    private_key = models.BinaryField(editable=False)
    public_key = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["retired_at"], nulls_distinct=False, name="signing_key_one_current")
        ]

    def __str__(self) -> str:
        return self.kid


class TokenFamily(models.Model):
    """One sign-in, with the digest of its current refresh token.

    Access tokens name the family by `sid`. Only refresh tokens contain its primary key: whoever knows that has had one.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.SET_NULL, null=True, related_name="+")
    sid = models.UUIDField(unique=True, default=uuid4, editable=False)
    session_auth_hash = models.CharField(max_length=64, db_default="", editable=False)
    digest = models.BinaryField(unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    second_factor_at = models.DateTimeField(null=True)
    sign_in_method = models.CharField(max_length=40, db_default="password", default="password", editable=False)
    last_used_at = models.DateTimeField(null=True)
    network = models.CharField(max_length=45, blank=True, db_default="", default="")
    user_agent = models.CharField(max_length=200, blank=True, db_default="", default="")

    class Meta:
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return f"sign-in {self.sid} of user {self.user_id}"

    @property
    def has_todays_password(self) -> bool:
        """False once the person's password has changed, whoever changed it. Django's sessions end by the same rule.

        Both also end when a sign-in elsewhere upgrades the password's hash because settings ask for a stronger one.
        """
        known = (self.user.get_session_auth_hash(), *self.user.get_session_auth_fallback_hash())
        return any(constant_time_compare(self.session_auth_hash, digest) for digest in known)


class ReplacedToken(models.Model):
    """A refresh token that was exchanged for a newer one of its family.

    Whoever presents it within the grace has lost a race; whoever presents it later uses it a second time.
    """

    digest = models.BinaryField(primary_key=True, editable=False)
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="replaced_tokens")
    replaced_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"replaced token of {self.family_id}"
