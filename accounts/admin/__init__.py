"""What operators see of people and organizations, a file a subject. `base` has what the other apps' admins share."""

from accounts.admin import (
    emails,
    events,
    groups,
    history,
    invitations,
    organizations,
    people,
    providers,
    security,
    webhooks,
)
from accounts.admin.base import ChangedFieldsAdmin, KeptAdmin, ReadOnlyAdmin, RecordedAdmin

__all__ = [
    "ChangedFieldsAdmin",
    "KeptAdmin",
    "ReadOnlyAdmin",
    "RecordedAdmin",
    "emails",
    "events",
    "groups",
    "history",
    "invitations",
    "organizations",
    "people",
    "providers",
    "security",
    "webhooks",
]
