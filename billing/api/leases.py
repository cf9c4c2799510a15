"""Leases: a gateway reserves a slice of an organization's credits and spends it by itself."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.api.fields import IntegerField, PrintableField
from accounts.api.lookups import NAMED
from accounts.lib.money import LARGEST, ZERO
from accounts.permissions import HasScopeOrPlatformKey, PlatformKey
from billing import accounts, clock
from billing.api.fields import AmountSerializerField, PositiveAmountField
from billing.api.holds import HoldSerializer, ReservationViewSet, key_of
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import admitted
from billing.ledger import holds, leases
from billing.models import Hold


class LeaseSerializer(HoldSerializer):
    class Meta:
        model = Hold
        fields = [
            *("id", "status", "amount", "captured", "spend_until", "expires_at", "organization", "key_id"),
            *("reference", "created_at"),
        ]
        read_only_fields = fields

    late = None  # type: ignore[assignment]
    metadata = None  # type: ignore[assignment]


class TakeLeaseSerializer(MoneySerializer):
    """If less than `minimum` is available, the lease is refused. It defaults to `amount`."""

    organization = serializers.CharField(max_length=21, required=False)
    key_id = serializers.CharField(max_length=20, required=False, allow_null=True)
    amount = PositiveAmountField()
    minimum = PositiveAmountField(required=False)
    ttl_seconds = IntegerField(min_value=1, max_value=86400, default=60)
    grace_seconds = IntegerField(min_value=0, max_value=86400, default=60)
    reference = PrintableField(max_length=100, allow_blank=True, trim_whitespace=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("minimum", attrs["amount"]) > attrs["amount"]:
            raise serializers.ValidationError({"minimum": "At most the amount."})
        return attrs


class ExtendLeaseSerializer(MoneySerializer):
    """`amount` is added to the lease."""

    amount = AmountSerializerField(min_value=ZERO, max_value=LARGEST, default=ZERO)
    ttl_seconds = IntegerField(min_value=1, max_value=86400, default=60)


class LeaseViewSet(ReservationViewSet):
    """Credits that a gateway may spend on its own. Usage events draw on the lease they name."""

    scopes = {
        "list": "credits:read",
        "retrieve": "credits:read",
        "create": "credits:write",
        "extend": "credits:write",
        "give_back": "credits:write",
    }
    refusals = {"list": (404,), "create": (402, 404), "extend": (402,)}
    serializer_class = LeaseSerializer
    purpose = Hold.Purpose.LEASE

    def get_permissions(self) -> list[Any]:
        """Customers see their leases. Only gateways take, extend and return them."""
        changes = self.action in ("create", "extend", "give_back")
        return [PlatformKey() if changes else HasScopeOrPlatformKey()]

    @extend_schema(parameters=[NAMED], request=TakeLeaseSerializer, responses={201: LeaseSerializer})
    def create(self, request: Request) -> Any:
        """Reserve up to `amount`, at least `minimum`. Spend until `spend_until`; report usage before `expires_at`."""
        params = self.params(TakeLeaseSerializer)
        name, key_id = params.pop("organization", None), params.pop("key_id", None)
        times = {name: timedelta(seconds=params.pop(f"{name}_seconds")) for name in ("ttl", "grace")}
        options = {"by_platform": True, **times, **params}

        def take() -> Hold:
            organization = admitted(request, name)
            check_currency(organization, options)
            return leases.take(
                organization, key=key_of(request, organization, key_id), now=clock.now(organization), **options
            )

        return self.once(take, status.HTTP_201_CREATED)

    @extend_schema(request=ExtendLeaseSerializer, responses=LeaseSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, id: str) -> Any:
        """Extend the lease to `ttl_seconds` from now and add `amount`. 409 `lease_ended` if it has ended."""
        lease = self.get_object()
        params = self.params(ExtendLeaseSerializer)
        check_currency(lease.organization, params)

        def extend() -> Hold:
            accounts.require_operational(lease.organization)
            ttl = timedelta(seconds=params["ttl_seconds"])
            return leases.extend(lease, amount=params["amount"], ttl=ttl, now=clock.now(lease.organization))

        return self.once(extend)

    @extend_schema(request=None, responses=LeaseSerializer)
    @action(detail=True, methods=["post"], url_path="return")
    def give_back(self, request: Request, id: str) -> Any:
        """End the lease. Unspent credits become available again."""
        lease = self.get_object()
        return self.once(lambda: holds.release(lease, now=clock.now(lease.organization)))
