from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import security
from accounts.api.fields import IntegerField, KnownMembers, NetworkField
from accounts.credentials import credential_of, organization_of
from accounts.lib.addresses import client_address
from accounts.models import Organization, SecurityPolicy

LONGEST_LIST = 100
EXAMPLE = {
    "require_two_factor": False,
    "allowed_networks": ["203.0.113.0/24", "2001:db8::/32"],
    "allowed_email_domains": ["example.com"],
    "longest_key_life_days": 90,
    "longest_session_hours": 24,
    "sign_in_methods": ["password", "passkey"],
}
ANSWER = {
    **EXAMPLE,
    "effective": {
        **EXAMPLE,
        "allowed_networks": [["203.0.113.0/24", "2001:db8::/32"]],
        "allowed_email_domains": [["example.com"]],
        "sign_in_methods": [["password", "passkey"]],
    },
    "people_without_factor": 3,
}


class DomainField(serializers.CharField):
    """An email domain, in lower case."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return security.email_domain(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError("Must be a domain, such as example.com.") from error


class SecurityPolicySerializer(KnownMembers, serializers.ModelSerializer[SecurityPolicy]):
    """An organization's own policy. Empty, false and null mean no requirement."""

    allowed_networks = serializers.ListField(child=NetworkField(max_length=100), max_length=LONGEST_LIST)
    allowed_email_domains = serializers.ListField(child=DomainField(max_length=253), max_length=LONGEST_LIST)
    longest_key_life_days = IntegerField(min_value=1, max_value=security.LONGEST_KEY_LIFE_DAYS, allow_null=True)

    longest_session_hours = IntegerField(min_value=1, max_value=security.LONGEST_SESSION_HOURS, allow_null=True)
    sign_in_methods = serializers.ListField(child=serializers.ChoiceField(security.METHODS), max_length=LONGEST_LIST)

    class Meta:
        model = SecurityPolicy
        fields = [
            "require_two_factor",
            "allowed_networks",
            "allowed_email_domains",
            "longest_key_life_days",
            "longest_session_hours",
            "sign_in_methods",
        ]

    def validate_allowed_networks(self, networks: list[str]) -> list[str]:
        return list(dict.fromkeys(networks))

    def validate_allowed_email_domains(self, domains: list[str]) -> list[str]:
        return list(dict.fromkeys(domains))


class EffectivePolicySerializer(serializers.Serializer[Any]):
    """The policies of the organization and its ancestors together.

    An address must be in one network of each list, and an email in one domain of each.
    """

    require_two_factor = serializers.BooleanField()
    allowed_networks = serializers.ListField(
        source="networks", child=serializers.ListField(child=serializers.CharField())
    )
    allowed_email_domains = serializers.ListField(
        source="email_domains", child=serializers.ListField(child=serializers.CharField())
    )
    longest_key_life_days = serializers.IntegerField(source="longest_key_life.days", default=None, allow_null=True)
    longest_session_hours = serializers.SerializerMethodField()
    sign_in_methods = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))

    def get_longest_session_hours(self, policy: security.Effective) -> int | None:
        longest = policy.longest_session
        return int(longest.total_seconds()) // 3600 if longest else None


class SecurityAnswerSerializer(SecurityPolicySerializer):
    """With what is in effect, and how many people the requirement of a second factor stops, or would stop."""

    effective = serializers.SerializerMethodField()
    people_without_factor = serializers.SerializerMethodField()

    class Meta(SecurityPolicySerializer.Meta):
        fields = [*SecurityPolicySerializer.Meta.fields, "effective", "people_without_factor"]

    def get_people_without_factor(self, policy: SecurityPolicy) -> int:
        return security.people_without_factor(policy.organization)

    @extend_schema_field(EffectivePolicySerializer)
    def get_effective(self, policy: SecurityPolicy) -> Any:
        return EffectivePolicySerializer(security.effective(policy.organization)).data


class SecurityView(APIView):
    scopes = {"get": "security:read", "patch": "security:write"}
    refusals = {"patch": (409,)}

    @extend_schema(
        responses=SecurityAnswerSerializer,
        examples=[OpenApiExample("policy", ANSWER, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """The security policy of the current organization, and what is in effect with those above it."""
        return _answer(organization_of(request), security.policy_of(organization_of(request)))

    @extend_schema(
        request=SecurityPolicySerializer,
        responses=SecurityAnswerSerializer,
        examples=[
            OpenApiExample("change", EXAMPLE, request_only=True),
            OpenApiExample("policy", ANSWER, response_only=True, status_codes=["200"]),
        ],
    )
    def patch(self, request: Request) -> Response:
        """Change the given members. A change that would lock the caller out is refused."""
        serializer = SecurityPolicySerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        organization = organization_of(request)
        policy = security.change(
            organization, serializer.validated_data, by=credential_of(request), address=client_address(request)
        )
        return _answer(organization, policy)


def _answer(organization: Organization, policy: SecurityPolicy) -> Response:
    policy.organization = organization
    return Response(SecurityAnswerSerializer(policy).data)
