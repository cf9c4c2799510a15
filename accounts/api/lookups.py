"""Objects that are named in the path by their public id."""

from typing import Any

from accounts.lib import identifiers
from accounts.lib.problems import NotFound


class PublicIdMixin:
    """For a viewset whose ids are `id_prefix` and the primary key's hexadecimal digits, such as `hold_…`.

    `NotFound` for what is no such id, and for what is not in the viewset's queryset.
    """

    id_prefix: str
    lookup_url_kwarg: str | None = "id"
    lookup_value_regex = "[a-z0-9_]{1,40}"

    def get_object(self: Any) -> Any:
        try:
            pk = identifiers.uuid_of(self.kwargs["id"], self.id_prefix)
        except ValueError as error:
            raise NotFound from error
        found = self.get_queryset().filter(pk=pk).first()
        if found is None:
            raise NotFound
        return found
