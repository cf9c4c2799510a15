from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.search import owner_fields
from accounts.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    id_prefix = "evt_"
    list_display = ["public_id", "type", "by", "organization", "created_at"]
    list_filter = ["type", "created_at"]
    list_select_related = ["organization"]
    search_fields = owner_fields("organization")
    ordering = ["-id"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            *("public_id", "type", "organization", "by", "targets", "data", "context", "erasable"),
            *("sequence", "created_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    @admin.display(description="actor")
    def by(self, event: Event) -> str:
        actor = event.actor or {}
        return f"{actor.get('kind', '')} {actor.get('id') or ''}".strip()

    @admin.display(description="personal data")
    def erasable(self, event: Event) -> str:
        kept = getattr(event, "personal_data", None)
        return kept.text if kept else "none, or erased"

    @admin.display(description="sequence")
    def sequence(self, event: Event) -> int | None:
        published = getattr(event, "published", None)
        return published.sequence if published else None
