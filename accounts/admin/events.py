from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    id_prefix = "evt_"
    list_display = ["public_id", "type", "organization", "created_at"]
    list_filter = ["type", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["organization__name", "organization__public_id", "organization__auth_id"]
    ordering = ["-id"]
