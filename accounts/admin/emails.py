from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.search import exactly
from accounts.models import Email


@admin.register(Email)
class EmailAdmin(ReadOnlyAdmin[Email]):
    """Emails that wait to be sent. Their content is encrypted, and isn't shown here either."""

    list_display = ["template", "to", "attempts", "created_at", "next_attempt_at"]
    list_filter = ["template"]
    search_fields = [*exactly("to"), "^to"]
    ordering = ["created_at"]
    exclude = ["context"]
