"""Grants: lots of credits, each with its own expiry and priority."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.fields import IntegerField, MomentField, PrintableField
from accounts.api.filters import BooleanFilter, Filters
from accounts.api.lookups import NAMED
from accounts.credentials import credential_of
from accounts.permissions import HasScopeOrPlatformKey, PlatformKey
from billing import clock
from billing.api.fields import AmountSerializerField, PositiveAmountField, check_future
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import payer
from billing.ledger import grants, posting
from billing.ledger.lots import Lot
from billing.models import Grant


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """`entry` is the `id` of the ledger entry that added the credits."""

    id = serializers.CharField(source="public_id", read_only=True)
    organization = serializers.CharField(source="account.organization.public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    remaining = AmountSerializerField(read_only=True)
    entry = serializers.IntegerField(source="entry_seq", read_only=True)

    class Meta:
        model = Grant
        fields = [
            *("id", "organization", "category", "priority", "amount", "remaining", "expires_at", "entry"),
            "created_at",
        ]
        read_only_fields = fields


class GiveGrantSerializer(MoneySerializer):
    organization = serializers.CharField(max_length=21, required=False)
    amount = PositiveAmountField()
    category = serializers.ChoiceField(Grant.Category.choices, default=Grant.Category.PROMOTIONAL)
    priority = IntegerField(min_value=Grant.PRIORITIES[0], max_value=Grant.PRIORITIES[1], default=Grant.ORDINARY)
    expires_at = MomentField(allow_null=True, default=None)
    description = PrintableField(max_length=200, allow_blank=True, default="")


class GrantFilter(Filters):
    category = django_filters.ChoiceFilter(choices=Grant.Category.choices)
    spent = BooleanFilter(method="of_spent")

    class Meta:
        model = Grant
        fields: list[str] = []

    def of_spent(self, grants: QuerySet[Grant], name: str, value: bool) -> QuerySet[Grant]:
        """A grant is spent when nothing of it remains."""
        return grants.filter(remaining=0) if value else grants.filter(remaining__gt=0)


class GrantViewSet(mixins.ListModelMixin, GenericViewSet[Grant]):
    """An organization's lots of credits, newest first. Their remainders add up to the balance, or to 0 in debt."""

    scopes = {"list": "credits:read", "create": "credits:write"}
    refusals = {"list": (404,), "create": (404,)}
    serializer_class = GrantSerializer
    filterset_class = GrantFilter
    queryset = Grant.objects.none()

    def get_permissions(self) -> list[Any]:
        """Customers may list their lots. Only the company gives grants."""
        return [PlatformKey() if self.action == "create" else HasScopeOrPlatformKey()]

    def get_queryset(self) -> QuerySet[Grant]:
        organization = payer(self.request)
        posting.bring_up_to_date(organization.pk, clock.now(organization))
        return Grant.objects.of(organization).select_related("account__organization").order_by("-entry_seq")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """An organization's credit grants, newest first. `remaining` is what is left of each."""
        return super().list(request, *args, **kwargs)

    @extend_schema(parameters=[NAMED], request=GiveGrantSerializer, responses={201: GrantSerializer})
    def create(self, request: Request) -> Any:
        """Grant credits without a payment. A negative balance is paid off first."""
        serializer = GiveGrantSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        organization = payer(request, params.get("organization"))
        check_currency(organization, params)
        lot = Lot(params["category"], params["priority"], params["expires_at"])

        def effect() -> Response:
            now = clock.now(organization)
            check_future("expires_at", lot.expires_at, now)
            by, description = credential_of(request).id, params["description"]
            grant = grants.give(organization, params["amount"], lot, description=description, actor=by, now=now)
            return Response(GrantSerializer(grant).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)
