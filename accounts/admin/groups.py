from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest

from accounts.admin import privileges

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin):
    """Operators can only change groups that have no more permissions than themselves, and only add permissions that
    they have.
    """

    filter_horizontal = ()  # its script makes markup that screen readers can't use

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within(request, obj)

    def _is_within(self, request: HttpRequest, group: Group | None) -> bool:
        return group is None or privileges.grantable_groups(request.user).filter(pk=group.pk).exists()

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest | None = None, **options: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        if db_field.name == "permissions" and request:
            options["queryset"] = privileges.of(request.user).select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **options)
