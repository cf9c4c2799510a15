from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models.organizations import Organization
from accounts.models.tenancy import TenantQuerySet


class SecurityPolicy(models.Model):
    """What an organization asks of those who work in it. An empty field asks for nothing."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="security_policy"
    )
    require_two_factor = models.BooleanField(default=False)
    allowed_networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    allowed_email_domains = ArrayField(models.CharField(max_length=253), default=list, blank=True)
    longest_key_life_days = models.PositiveIntegerField(null=True, blank=True)
    longest_session_hours = models.PositiveIntegerField(null=True, blank=True)
    sign_in_methods = ArrayField(models.CharField(max_length=40), default=list, blank=True, db_default=[])

    objects: ClassVar[TenantQuerySet["SecurityPolicy"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "security policies"

    def __str__(self) -> str:
        return f"security policy of {self.organization_id}"
