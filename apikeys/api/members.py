from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.members import MemberViewSet
from accounts.credentials import credential_of, organization_of
from apikeys import departures
from apikeys.models import ApiKey

EXAMPLE = {
    "api_keys": [{"key_id": "key_1234567890abcdef", "name": "Production", "organization": "acct_1b2c3d4e5f6g7h8i"}],
    "outcome": "revoked",
}


class RemovalSerializer(serializers.Serializer[Any]):
    """The query of a removal: what becomes of the keys that the member made."""

    api_keys = serializers.ChoiceField(["revoke", "hand_over"], default="revoke")


class LeftKeySerializer(serializers.ModelSerializer[ApiKey]):
    key_id = serializers.CharField(source="public_id")
    organization = serializers.CharField(source="organization.public_id")

    class Meta:
        model = ApiKey
        fields = ["key_id", "name", "organization"]
        read_only_fields = fields


class RemovedSerializer(serializers.Serializer[Any]):
    api_keys = LeftKeySerializer(many=True)
    outcome = serializers.ChoiceField(["revoked", "handed_over"])


class RemovableMemberViewSet(MemberViewSet):
    """The members of the current organization."""

    # Anyone may leave. `members.remove` asks for members:write if it is someone else.
    scopes = {**MemberViewSet.scopes, "destroy": "members:read"}
    refusals = {**MemberViewSet.refusals, "destroy": (409,)}

    @extend_schema(
        parameters=[OpenApiParameter("api_keys", str, enum=["revoke", "hand_over"], default="revoke")],
        responses={200: RemovedSerializer, 204: None},
        examples=[OpenApiExample("removed", EXAMPLE, response_only=True, status_codes=["200"])],
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a member, or leave. The keys that the member made are revoked, or handed over to the caller.

        200 lists those keys, of the organization and of all beneath it; 204 if there were none.
        """
        serializer = RemovalSerializer(data=request.query_params.dict())  # an empty value is no default
        serializer.is_valid(raise_exception=True)
        hand_over = serializer.validated_data["api_keys"] == "hand_over"
        keys = departures.remove_member(
            organization_of(request), int(id), by=credential_of(request), hand_over=hand_over
        )
        if not keys:
            return Response(status=status.HTTP_204_NO_CONTENT)
        outcome = "handed_over" if hand_over else "revoked"
        return Response(RemovedSerializer({"api_keys": keys, "outcome": outcome}).data)
