from collections.abc import Callable
from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency, invitations, naming, people, tree
from accounts.access import check_unclosed, require
from accounts.api.fields import EmailField, PrintableField
from accounts.api.filters import Filters
from accounts.credentials import credential_of
from accounts.lib import timezones
from accounts.lib.addresses import client_address
from accounts.models import Membership, Organization
from accounts.models.organizations import OrganizationQuerySet
from accounts.permissions import HasScopeAnywhere, HasScopeOrPlatformKey

EXTERNAL_ID = "The company's own id of it, unique, or empty; a platform key sets it"
EXAMPLE = {
    "id": "acct_1b2c3d4e5f6g7h8i",
    "auth_id": "SA0123456789ABCDEFGH",
    "name": "Europe",
    "external_id": "customer-42",
    "parent": "acct_0a1b2c3d4e5f6g7h",
    "status": "active",
    "timezone": "Europe/Paris",
    "created_at": "2026-01-15T08:30:00Z",
}
SUSPENDED = OpenApiExample("suspended", {**EXAMPLE, "status": "suspended"}, response_only=True, status_codes=["200"])
ANSWER = OpenApiExample("organization", EXAMPLE, response_only=True, status_codes=["200"])


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """`external_id` is only present if there is one."""

    id = serializers.CharField(source="public_id", read_only=True)
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]
    timezone = serializers.CharField(max_length=64, required=False, validators=[timezones.validate])
    external_id = PrintableField(max_length=100, required=False, allow_blank=True, help_text=EXTERNAL_ID)

    class Meta:
        model = Organization
        fields = ["id", "auth_id", "external_id", "name", "parent", "status", "timezone", "created_at"]
        read_only_fields = ["auth_id", "status", "created_at"]

    def to_representation(self, instance: Organization) -> dict[str, Any]:
        members = super().to_representation(instance)
        return {name: value for name, value in members.items() if value or name != "external_id"}

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_parent(self, organization: Organization) -> str | None:
        return organization.parent.public_id if organization.parent else None

    def update(self, organization: Organization, changes: dict[str, Any]) -> Organization:
        return tree.change(organization, changes)

    def validate_external_id(self, value: str) -> str:
        if not credential_of(self.context["request"]).is_platform:
            raise serializers.ValidationError("Only a platform key can set it.")
        return value


class NewOrganizationSerializer(OrganizationSerializer):
    """With `owner_email`, which a platform key may give, the address is invited as an owner."""

    owner_email = EmailField(max_length=250, required=False, write_only=True)

    class Meta(OrganizationSerializer.Meta):
        fields = [*OrganizationSerializer.Meta.fields, "owner_email"]

    def validate_owner_email(self, value: str) -> str:
        if not credential_of(self.context["request"]).is_platform:
            raise serializers.ValidationError("Only a platform key can give it. Invite the person afterwards.")
        return value


class OrganizationFilter(Filters):
    external_id = django_filters.CharFilter(label=EXTERNAL_ID)

    class Meta:
        model = Organization
        fields: list[str] = []


class MoveSerializer(serializers.Serializer[Any]):
    parent = serializers.CharField(max_length=21)  # type: ignore[assignment]


class OrganizationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[Organization]
):
    """The tree that the caller can see. A new organization is a child of the current one.

    A platform key that names no organization sees all, and makes a root: a new customer.
    """

    scopes = {
        "list": "account:read",
        "retrieve": "account:read",
        "create": "account:write",
        "partial_update": "account:write",
        "suspend": "account:write",
        "resume": "account:write",
        "move": "account:write",
    }
    permission_classes = [HasScopeAnywhere]
    serializer_class = OrganizationSerializer
    filterset_class = OrganizationFilter
    queryset = Organization.objects.none()
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[a-z0-9_]{1,21}"
    http_method_names = ["get", "post", "patch", "head", "options"]
    mover: Callable[..., Organization] = staticmethod(tree.move)

    def get_queryset(self) -> OrganizationQuerySet:
        return naming.visible_to(credential_of(self.request)).select_related("parent").order_by("created_at", "pk")

    def get_object(self) -> Organization:
        name = self.kwargs["id"]
        return naming.named(
            credential_of(self.request), client_address(self.request), self.get_queryset(), public_id=name
        )

    @extend_schema(request=NewOrganizationSerializer, responses={201: OrganizationSerializer})
    def create(self, request: Request) -> Any:
        """Make an organization beneath the current one. A platform key that names none makes a root.

        `external_id` is unique. A second request with it is 409 `external_id_taken`, and names the `organization`.
        """
        serializer = NewOrganizationSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        credential, fields = credential_of(request), dict(serializer.validated_data)
        owner_email = fields.pop("owner_email", None)

        def effect() -> Response:
            parent = credential.organization
            made = people.add_child(parent, **fields) if parent else people.add_root(**fields)
            if owner_email:
                invitations.invite(made, email=owner_email, role=Membership.Role.OWNER, by=credential)
            return Response(OrganizationSerializer(made).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    def perform_update(self, serializer: Any) -> None:
        require(naming.standing(credential_of(self.request), serializer.instance), "account:write")
        check_unclosed(serializer.instance)
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
