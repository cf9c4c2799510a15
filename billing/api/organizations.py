from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import organizations as accounts_organizations
from accounts.api.organizations import EXAMPLE, OrganizationSerializer
from accounts.credentials import credential_of
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from billing import clock, closing, organizations
from billing.api.fields import AmountSerializerField

CLOSED = OpenApiExample("closed", {**EXAMPLE, "status": "closed"}, response_only=True, status_codes=["200"])
FACTS = {
    "obstacles": [
        {"code": "credits_left", "detail": "12.5 paid credits are left. Spend them, or ask us for a refund."}
    ],
    "api_keys": 3,
    "webhook_endpoints": 1,
    "people": 4,
    "plan": "Developer",
    "promotional": 0,
}


class ObstacleSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class ClosingSerializer(serializers.Serializer[Any]):
    """What closing would end. It is refused while there are `obstacles`. `promotional` credits are given up."""

    obstacles = ObstacleSerializer(many=True)
    api_keys = serializers.IntegerField()
    webhook_endpoints = serializers.IntegerField()
    people = serializers.IntegerField()
    plan = serializers.CharField(allow_null=True)
    promotional = AmountSerializerField()


class OrganizationViewSet(accounts_organizations.OrganizationViewSet):
    """Organizations that the caller can see. POST creates a child of the current organization."""

    scopes = {
        **accounts_organizations.OrganizationViewSet.scopes,
        "closing": "account:read",
        "close": "account:write",
    }

    @staticmethod
    def mover(organization: Organization, **arguments: Any) -> Organization:
        return organizations.move(organization, now=clock.now(organization), **arguments)

    @transaction.atomic
    def save(self, serializer: Any) -> None:
        """A time zone is changed by the verb that tells the ledger, and first: the payer's lock comes before others."""
        if timezone := serializer.validated_data.pop("timezone", None):
            organizations.change_timezone(serializer.instance, timezone, now=clock.now(serializer.instance))
        super().save(serializer)

    @extend_schema(
        responses=ClosingSerializer,
        filters=False,
        examples=[OpenApiExample("closing", FACTS, response_only=True, status_codes=["200"])],
    )
    @action(
        detail=True,
        methods=["get"],
        pagination_class=None,
        filter_backends=[],
        permission_classes=[HasScopeOrPlatformKey],
    )
    def closing(self, request: Request, id: str) -> Response:
        """What closing the organization would end, and what stands in its way: for those who may close it."""
        organization = self.get_object()
        closing.check_may_close(organization, credential_of(request))
        return Response(ClosingSerializer(closing.facts(organization, clock.now(organization))).data)

    @extend_schema(request=None, responses=OrganizationSerializer, examples=[CLOSED])
    @action(detail=True, methods=["post"], permission_classes=[HasScopeOrPlatformKey])
    def close(self, request: Request, id: str) -> Any:
        """Close an organization for good, once it owes nothing and is owed nothing.

        Its owners and those who administer its parent may do it, signed in as a person; and the operator.
        """
        return self._once(closing.close, now=clock.now(self.get_object()))
