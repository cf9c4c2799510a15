from django.contrib import admin
from django.contrib.admin.models import LogEntry

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.search import exactly


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """What operators did here: changes, decisions, visits and exports."""

    list_display = ["action_time", "user", "content_type", "object_repr", "message"]
    list_filter = ["action_time", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = [*exactly("user__email", "object_id"), "object_repr"]
    ordering = ["-id"]

    @admin.display(description="what")
    def message(self, entry: LogEntry) -> str:
        return entry.get_change_message()
