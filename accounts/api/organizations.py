from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency, people, tree
from accounts.credentials import credential_of, organization_of
from accounts.lib import timezones
from accounts.lib.addresses import client_address
from accounts.models import Organization
from accounts.models.organizations import OrganizationQuerySet
from accounts.permissions import HasScopeOrPlatformKey, require

EXAMPLE = {
    "id": "acct_1b2c3d4e5f6g7h8i",
    "auth_id": "SA0123456789ABCDEFGH",
    "name": "Europe",
    "parent": "acct_0a1b2c3d4e5f6g7h",
    "status": "active",
    "timezone": "Europe/Paris",
    "created_at": "2026-01-15T08:30:00Z",
}
SUSPENDED = OpenApiExample("suspended", {**EXAMPLE, "status": "suspended"}, response_only=True, status_codes=["200"])
ANSWER = OpenApiExample("organization", EXAMPLE, response_only=True, status_codes=["200"])


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    id = serializers.CharField(source="public_id", read_only=True)
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]
    timezone = serializers.CharField(max_length=64, required=False, validators=[timezones.validate])

    class Meta:
        model = Organization
        fields = ["id", "auth_id", "name", "parent", "status", "timezone", "created_at"]
        read_only_fields = ["auth_id", "status", "created_at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_parent(self, organization: Organization) -> str | None:
        return organization.parent.public_id if organization.parent else None

    def update(self, organization: Organization, changes: dict[str, Any]) -> Organization:
        return tree.change(organization, changes)


class MoveSerializer(serializers.Serializer[Any]):
    parent = serializers.CharField(max_length=21)  # type: ignore[assignment]


class OrganizationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[Organization]
):
    """The tree that the caller can see. A new organization is a child of the current one."""

    scopes = {
        "list": "account:read",
        "retrieve": "account:read",
        "create": "account:write",
        "partial_update": "account:write",
        "suspend": "account:write",
        "resume": "account:write",
        "move": "account:write",
    }
    serializer_class = OrganizationSerializer
    queryset = Organization.objects.none()
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[a-z0-9_]{1,21}"
    http_method_names = ["get", "post", "patch", "head", "options"]
    mover: Callable[..., Organization] = staticmethod(tree.move)

    def get_queryset(self) -> OrganizationQuerySet:
        return tree.visible_to(credential_of(self.request)).select_related("parent").order_by("created_at", "pk")

    def get_object(self) -> Organization:
        name = self.kwargs["id"]
        return tree.named(
            credential_of(self.request), client_address(self.request), self.get_queryset(), public_id=name
        )

    def create(self, request: Request) -> Any:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        parent = organization_of(request)

        def effect() -> Response:
            child = people.add_child(parent, **serializer.validated_data)
            return Response(OrganizationSerializer(child).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    def perform_update(self, serializer: Any) -> None:
        require(tree.standing(credential_of(self.request), serializer.instance), "account:write")
        self.save(serializer)

    def save(self, serializer: Any) -> None:
        serializer.save()

    @extend_schema(request=None, responses=OrganizationSerializer, examples=[SUSPENDED])
    @action(detail=True, methods=["post"], permission_classes=[HasScopeOrPlatformKey])
    def suspend(self, request: Request, id: str) -> Any:
        """Suspend an organization and all beneath it.

        Administrators of the organization or its parent may do it; for a root, only the operator.
        """
        return self._once(tree.suspend)

    @extend_schema(request=None, responses=OrganizationSerializer, examples=[ANSWER])
    @action(detail=True, methods=["post"], permission_classes=[HasScopeOrPlatformKey])
    def resume(self, request: Request, id: str) -> Any:
        """End a suspension.

        Administrators of the parent may do it; for a root, only the operator.
        """
        return self._once(tree.resume)

    @extend_schema(request=MoveSerializer, responses=OrganizationSerializer, examples=[ANSWER])
    @action(detail=True, methods=["post"], permission_classes=[HasScopeOrPlatformKey])
    def move(self, request: Request, id: str) -> Any:
        """Move an organization and all beneath it to another parent with the same root."""
        serializer = MoveSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self._once(self.mover, address=client_address(request), **serializer.validated_data)

    def _once(self, verb: Callable[..., Organization], **arguments: Any) -> Any:
        organization = self.get_object()
        credential = credential_of(self.request)

        def effect() -> Response:
            return Response(OrganizationSerializer(verb(organization, by=credential, **arguments)).data)

        return idempotency.once(self.request, effect)
