"""Objects that a request names by their public id: in the path, in the query string or in the body."""

from typing import Any

from rest_framework.request import Request

from accounts import tree
from accounts.credentials import credential_of, organization_of
from accounts.lib import identifiers
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization


class PublicIdMixin:
    """For a viewset whose ids are `id_prefix` and the hexadecimal digits of the primary key, such as `hold_…`.

    Raises `NotFound` for any other id, and for an object that isn't in the viewset's queryset.
    """

    id_prefix: str
    lookup_url_kwarg: str | None = "id"
    lookup_value_regex = "[a-z0-9_]{1,40}"

    def get_object(self: Any) -> Any:
        try:
            pk = identifiers.uuid_of(self.kwargs["id"], self.id_prefix)
        except ValueError as error:
            raise NotFound from error
        instance = self.get_queryset().filter(pk=pk).first()
        if instance is None:
            raise NotFound
        return instance


def organization(request: Request, public_id: str | None) -> Organization:
    """The organization that a request is about: the caller's own, or one beneath it that it names.

    A platform key has none of its own, so it must name one, and may name any. Raises `NotFound` for what the caller
    may not name.
    """
    if public_id is not None:
        platform = credential_of(request).is_platform
        among = None if platform else Organization.objects.within(organization_of(request))
        return tree.named(credential_of(request), client_address(request), among, public_id=public_id)
    if credential_of(request).is_platform:
        raise InvalidField("organization", "Required with a platform key.")
    return organization_of(request)


def check_address(request: Request, organization: Organization) -> None:
    """Refuse an address that is not allowed by the organization of an object that the request names."""
    tree.check_address(credential_of(request), organization, client_address(request))
