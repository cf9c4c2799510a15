from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from usage.models import ImportedFile, UsageRollup

# Search fields: whose it is.
OWNER = [
    "organization__public_id",
    "organization__auth_id",
    "organization__name",
    "organization__memberships__user__email",
    "organization__billing_account__public_id",
]


@admin.register(UsageRollup)
class UsageRollupAdmin(ReadOnlyAdmin[UsageRollup]):
    """Usage by quarter of an hour, meter and key."""

    list_display = [
        "organization",
        "bucket",
        "meter",
        "key",
        "environment",
        "requests",
        "failed",
        "quantity",
        "credits",
    ]
    list_filter = ["meter", "environment", "bucket"]
    list_select_related = ["organization", "meter", "key"]
    search_fields = ["key__public_id", "key__name", *OWNER]
    ordering = ["-bucket", "-pk"]


@admin.register(ImportedFile)
class ImportedFileAdmin(ReadOnlyAdmin[ImportedFile]):
    list_display = ["name", "organization", "meter", "events", "skipped", "started_at", "finished_at"]
    list_select_related = ["organization", "meter"]
    search_fields = ["name", *OWNER]
    ordering = ["-started_at"]
