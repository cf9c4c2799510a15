"""Grants: lots of credits, each with its own expiry and priority."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.filters import text_parameter
from accounts.credentials import credential_of
from accounts.permissions import HasScopeOrPlatformKey, PlatformKey
from billing.api.fields import check_future
from billing.api.payers import payer
from billing.api.serializers import GiveGrantSerializer, GrantSerializer
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerEntry


class GrantFilter(django_filters.FilterSet):
    category = django_filters.ChoiceFilter(choices=Grant.Category.choices)
    spent = django_filters.BooleanFilter(field_name="remaining", lookup_expr="exact", method="of_spent")

    class Meta:
        model = Grant
        fields: list[str] = []

    def of_spent(self, found: QuerySet[Grant], name: str, value: bool) -> QuerySet[Grant]:
        """Whether nothing is left of it."""
        return found.filter(remaining=0) if value else found.filter(remaining__gt=0)


class GrantViewSet(mixins.ListModelMixin, GenericViewSet[Grant]):
    """The lots of credits of an organization, newest first. What remains adds up to the balance, or to 0 in debt."""

    scopes = {"list": "credits:read", "create": "credits:write"}
    refusals = {"list": (404,), "create": (404,)}
    serializer_class = GrantSerializer
    filterset_class = GrantFilter
    queryset = Grant.objects.none()

    def get_permissions(self) -> list[Any]:
        """Customers see their lots; the company gives them."""
        return [PlatformKey() if self.action == "create" else HasScopeOrPlatformKey()]

    def get_queryset(self) -> QuerySet[Grant]:
        organization = payer(self.request, text_parameter(self.request, "organization"))
        posting.settle(organization.pk)
        return Grant.objects.of(organization).select_related("account__organization").order_by("-entry_seq")

    @extend_schema(
        parameters=[OpenApiParameter("organization", str, description="Whose; a platform key has to name it")]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The lots of credits, newest first, with all that was spent taken from them."""
        return super().list(request, *args, **kwargs)

    @extend_schema(request=GiveGrantSerializer, responses={201: GrantSerializer})
    def create(self, request: Request) -> Any:
        """Give credits out of nothing. In debt, they pay that first."""
        serializer = GiveGrantSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        organization = payer(request, asked["organization"])
        lot = Lot(asked["category"], asked["priority"], asked["expires_at"])

        def effect() -> Response:
            check_future("expires_at", lot.expires_at)
            posted = posting.post(
                organization.pk,
                kind=LedgerEntry.Kind.GRANT,
                amount=asked["amount"],
                description=asked["description"],
                actor=credential_of(request).id,
                lot=lot,
            )
            grant = Grant.objects.of(organization).get(entry_seq=posted.seq)
            return Response(GrantSerializer(grant).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)
