from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import members
from accounts.api.filters import Filters
from accounts.credentials import credential_of, organization_of
from accounts.models import Membership

EXAMPLE = {
    "id": 7,
    "email": "dora@example.com",
    "name": "Dora",
    "role": "developer",
    "source": "acct_1b2c3d4e5f6g7h8i",
    "inherited": False,
    "joined_at": "2026-01-15T08:30:00Z",
}


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A person and their role. `source` is where the role was given: an organization above, if inherited."""

    id = serializers.IntegerField(source="user_id", read_only=True)
    email = serializers.CharField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    source = serializers.CharField(  # type: ignore[assignment]
        source="organization.public_id", read_only=True
    )
    inherited = serializers.SerializerMethodField()
    joined_at = serializers.DateTimeField(source="created_at", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "email", "name", "role", "source", "inherited", "joined_at"]

    def get_inherited(self, membership: Membership) -> bool:
        return bool(membership.organization_id != organization_of(self.context["request"]).pk)


class RoleChangeSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Membership.Role.choices)


class MemberFilter(Filters):
    role = django_filters.ChoiceFilter(choices=Membership.Role.choices)
    email = django_filters.CharFilter(field_name="user__email", lookup_expr="icontains")


class MemberViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Membership]):
    """The people of the current organization and of the organizations above it. `id` is the person's.

    Removing one is in `apikeys.api.members`, since the keys that they made are concerned too.
    """

    scopes = {"list": "members:read", "retrieve": "members:read", "partial_update": "members:write"}
    serializer_class = MemberSerializer
    refusals = {"partial_update": (409,)}
    queryset = Membership.objects.none()
    filterset_class = MemberFilter
    lookup_field = "user_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Membership]:
        return members.of(organization_of(self.request))

    @extend_schema(
        request=RoleChangeSerializer,
        responses=MemberSerializer,
        examples=[
            OpenApiExample("role", {"role": "developer"}, request_only=True),
            OpenApiExample("member", EXAMPLE, response_only=True, status_codes=["200"]),
        ],
    )
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a member's role. The role can't have scopes that the caller lacks."""
        serializer = RoleChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed = members.change_role(
            organization_of(request), int(id), by=credential_of(request), **serializer.validated_data
        )
        return Response(self.get_serializer(changed).data)
