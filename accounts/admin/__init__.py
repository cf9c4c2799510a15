"""What operators see of people and organizations, a file a subject. `base` has what the other apps' admins share."""

from accounts.admin import events, invitations, organizations, people, security
from accounts.admin.base import ChangedFieldsAdmin, KeptAdmin, ReadOnlyAdmin

__all__ = [
    "ChangedFieldsAdmin",
    "KeptAdmin",
    "ReadOnlyAdmin",
    "events",
    "invitations",
    "organizations",
    "people",
    "security",
]
