from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import access_explanation, members
from accounts.api.organizations import OrganizationSerializer
from accounts.api.signup import UserSerializer
from accounts.credentials import credential_of
from accounts.lib.addresses import client_address
from accounts.models import Membership
from accounts.permissions import Authenticated


class RoleSerializer(serializers.Serializer[Any]):
    """A role in an organization. `source` is where it was given: there, or in an organization above."""

    role = serializers.ChoiceField(Membership.Role.choices)
    source = serializers.CharField(source="organization.public_id")  # type: ignore[assignment]


class ExplanationSerializer(serializers.Serializer[Any]):
    scope = serializers.CharField()
    reason = serializers.ChoiceField([reason.value for reason in access_explanation.Reason])


class WhoAmISerializer(serializers.Serializer[Any]):
    """What a credential is and may do. `missing_scopes` are scopes that it was given but may not use now.

    `roles` are its person's roles in the organization, from the root down. `refused` has the reason for each scope that
    a request would lack.
    """

    kind = serializers.CharField()
    id = serializers.CharField()
    user = UserSerializer(allow_null=True)
    organization = OrganizationSerializer(allow_null=True)
    timezone = serializers.CharField()
    scopes = serializers.SerializerMethodField()
    missing_scopes = serializers.SerializerMethodField()
    permissions = serializers.ListField(child=serializers.CharField())
    roles = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()

    @extend_schema_field(RoleSerializer(many=True))
    def get_roles(self, credential: Any) -> Any:
        known = credential.user is not None and credential.organization is not None
        return RoleSerializer(members.roles(credential.organization, credential.user) if known else [], many=True).data

    @extend_schema_field(ExplanationSerializer(many=True))
    def get_refused(self, credential: Any) -> Any:
        return ExplanationSerializer(self.context.get("explanations", []), many=True).data

    def get_scopes(self, credential: Any) -> list[str]:
        return sorted(credential.scopes)

    def get_missing_scopes(self, credential: Any) -> list[str]:
        return sorted(credential.cap - credential.scopes)


class WhoAmIView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        """What this credential is, what it may do right now, and why it may not do the rest."""
        credential = credential_of(request)
        context = {"explanations": access_explanation.explain(credential, address=client_address(request))}
        return Response(WhoAmISerializer(credential, context=context).data)
