"""Objects that a request names by their public id: in the path, in the query string or in the body."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts import naming
from accounts.api.filters import text_parameter
from accounts.credentials import credential_of
from accounts.lib import identifiers
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization

# The parameter of every route that is about an organization.
NAMED = OpenApiParameter(
    "organization",
    str,
    description="The organization that the request is about, by id: the caller's or one beneath it. A platform key"
    " names any.",
)


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


def organization(request: Request, public_id: str | None = None) -> Organization:
    """The organization that a request is about: `public_id` of its body, else the one that the query string names.

    Without either it is the one that the caller acts for; a platform key that acts for none must name one. Raises
    `NotFound` for what the caller may not name.
    """
    query = text_parameter(request, "organization")
    if None not in (public_id, query) and public_id != query:
        raise InvalidField("organization", "The query string names another one.")
    credential, name = credential_of(request), query if public_id is None else public_id
    if name is None:
        if credential.organization is None:
            raise InvalidField("organization", "Required with a platform key.")
        return credential.organization
    return naming.named(credential, client_address(request), naming.nameable(credential), public_id=name)


def check_address(request: Request, organization: Organization) -> None:
    """Refuse an address that is not allowed by the organization of an object that the request names."""
    naming.check_address(credential_of(request), organization, client_address(request))
