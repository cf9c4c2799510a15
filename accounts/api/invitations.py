from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import accepting, idempotency, invitations, tokens
from accounts.api.fields import EmailField
from accounts.api.filters import Filters
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.lib.addresses import caller_network
from accounts.lib.problems import InvalidField
from accounts.models import Invitation, Membership
from accounts.models.invitations import STATUSES
from accounts.permissions import Authenticated

EXAMPLE = {
    "id": "inv_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f",
    "email": "dora@example.com",
    "role": "developer",
    "status": "pending",
    "invited_by": 7,
    "expires_at": "2026-01-22T08:30:00Z",
    "created_at": "2026-01-15T08:30:00Z",
}
SENT = {**EXAMPLE, "accept_url": "https://tollgate.example.com/invitations/accept?token=it_…"}
SHOWN = {
    "organization": {"id": "acct_1b2c3d4e5f6g7h8i", "name": "Example Corp"},
    "inviter": "Carol Example",
    "email": "dora@example.com",
    "role": "developer",
    "status": "pending",
    "expires_at": "2026-01-22T08:30:00Z",
}
TOKEN_LENGTH = 100  # at most; those that we make are shorter


class StatusMixin(serializers.Serializer[Invitation]):
    status = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(STATUSES))
    def get_status(self, invitation: Invitation) -> str:
        return invitation.status(timezone.now())


class InvitationSerializer(StatusMixin, serializers.ModelSerializer[Invitation]):
    """An invitation, without its token."""

    id = serializers.CharField(source="public_id", read_only=True)
    invited_by = serializers.IntegerField(source="invited_by_id", read_only=True, allow_null=True)

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "status", "invited_by", "expires_at", "created_at"]


class SentInvitationSerializer(InvitationSerializer):
    """With the link from the email, which is a secret. A replayed response has null instead."""

    accept_url = serializers.SerializerMethodField()

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "accept_url"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_accept_url(self, invitation: Invitation) -> str:
        return invitations.accept_url(invitation)


class InviteSerializer(serializers.Serializer[Any]):
    email = EmailField(max_length=250)
    role = serializers.ChoiceField(Membership.Role.choices)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=TOKEN_LENGTH)


class InvitingOrganizationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()


class ShownInvitationSerializer(StatusMixin):
    """An invitation as the invited person sees it."""

    organization = InvitingOrganizationSerializer()
    inviter = serializers.CharField(source="invited_by.get_full_name", default=None, allow_null=True)
    email = serializers.CharField()
    role = serializers.ChoiceField(Membership.Role.choices)
    expires_at = serializers.DateTimeField()


class InvitationFilter(Filters):
    status = django_filters.ChoiceFilter(choices=[(name, name) for name in STATUSES], method="filter_status")
    email = django_filters.CharFilter(lookup_expr="icontains")

    def filter_status(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.with_status(value, timezone.now())


class InvitationViewSet(PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Invitation]):
    """The invitations of the current organization, newest first."""

    scopes = {
        "list": "members:read",
        "retrieve": "members:read",
        "create": "members:write",
        "destroy": "members:write",
        "resend": "members:write",
    }
    serializer_class = InvitationSerializer
    refusals = {"create": (429,), "resend": (429,), "destroy": (409,)}
    queryset = Invitation.objects.none()
    filterset_class = InvitationFilter
    id_prefix = "inv_"

    def get_queryset(self) -> QuerySet[Invitation]:
        return Invitation.objects.of(organization_of(self.request)).order_by("-created_at", "-pk")

    @extend_schema(
        request=InviteSerializer,
        responses={201: SentInvitationSerializer},
        examples=[
            OpenApiExample("invite", {"email": "dora@example.com", "role": "developer"}, request_only=True),
            OpenApiExample("invited", SENT, response_only=True, status_codes=["201"]),
        ],
    )
    def create(self, request: Request) -> Any:
        """Invite someone by email. The role can't have scopes that the caller lacks."""
        serializer = InviteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)

        def effect() -> Response:
            invitation = invitations.invite(
                organization_of(request), by=credential_of(request), **serializer.validated_data
            )
            return _sent(invitation, status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("accept_url",))

    def destroy(self, request: Request, id: str) -> Response:
        """Revoke an invitation that was not accepted."""
        invitations.revoke(self.get_object(), by=credential_of(self.request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=None,
        responses=SentInvitationSerializer,
        examples=[OpenApiExample("sent again", SENT, response_only=True, status_codes=["200"])],
    )
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, id: str) -> Any:
        """Send a new link, valid for a week. The previous link stops working."""
        invitation = self.get_object()

        def effect() -> Response:
            return _sent(invitations.resend(invitation, by=credential_of(request)), status.HTTP_200_OK)

        return idempotency.once(request, effect, secrets=("accept_url",))


def _sent(invitation: Invitation, status: int) -> Response:
    return Response(SentInvitationSerializer(invitation).data, status=status)


class AcceptView(APIView):
    """GET shows an invitation to whoever has its token, and changes nothing: mail scanners open links. POST accepts."""

    limited_by_address = True
    refusals = {"get": (404,), "post": (404, 409, 410)}

    def get_permissions(self) -> list[BasePermission]:
        return [Authenticated()] if self.request.method == "POST" else [AllowAny()]

    @extend_schema(
        parameters=[OpenApiParameter("token", str, required=True)],
        responses=ShownInvitationSerializer,
        examples=[OpenApiExample("invitation", SHOWN, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Show an invitation to the person who has its token."""
        token = request.query_params.get("token", "")
        if not 0 < len(token) <= TOKEN_LENGTH:
            raise InvalidField("token", "Must be the token of an invitation.")
        return _shown(accepting.look_up(token, caller_network(request)))

    @extend_schema(
        request=TokenSerializer,
        responses=ShownInvitationSerializer,
        examples=[
            OpenApiExample("accept", {"token": "it_…"}, request_only=True),
            OpenApiExample("accepted", {**SHOWN, "status": "accepted"}, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Any:
        """Accept, signed in as the invited person. Then get tokens from POST /v1/auth/switch."""
        serializer = TokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        person, token = tokens.person(credential_of(request)), serializer.validated_data["token"]
        accepting.look_up(token, caller_network(request))

        def effect() -> Response:
            return _shown(accepting.accept(token, user=person))

        return idempotency.once(request, effect)


def _shown(invitation: Invitation) -> Response:
    return Response(ShownInvitationSerializer(invitation).data)
