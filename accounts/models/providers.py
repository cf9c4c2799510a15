from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet
from accounts.models.users import User


class IdentityProvider(models.Model):
    """An organization's own OpenID Connect provider, for people with addresses of its domains.

    An operator enters it, who knows that the domains are the organization's. `client_secret` is encrypted.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="identity_providers")
    name = models.CharField(max_length=60)
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=200)
    client_secret = models.BinaryField()
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[TenantQuerySet["IdentityProvider"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.name} of {self.organization_id}"

    @property
    def public_id(self) -> str:
        return f"idp_{self.pk.hex}"


class ProviderDomain(models.Model):
    """A domain whose people sign in at the provider. A domain has at most one."""

    domain = models.CharField(primary_key=True, max_length=253)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="domains")

    def __str__(self) -> str:
        return self.domain


class LinkedAccount(models.Model):
    """Somebody at a provider, who signs in here as `user`. `subject` is the provider's own name for them."""

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="linked_accounts")
    provider = models.CharField(max_length=40)
    subject = models.CharField(max_length=255)
    label = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "subject"], name="linked_account_once")]

    def __str__(self) -> str:
        return f"{self.provider} account of user {self.user_id}"
