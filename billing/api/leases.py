"""Leases: a gateway takes a slice of an organization's credits, and spends it by itself."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request

from accounts.permissions import HasScopeOrPlatformKey, PlatformKey
from billing.api.holds import ReservationViewSet, key_of
from billing.api.payers import admitted, check_operational
from billing.api.serializers import ExtendLeaseSerializer, LeaseSerializer, TakeLeaseSerializer
from billing.ledger import holds
from billing.models import Hold


class LeaseViewSet(ReservationViewSet):
    """Slices of credits that gateways spend by themselves, newest first. Usage events draw on the lease they name."""

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
        """Customers see what is reserved of their credits; gateways alone take it."""
        taking = self.action in ("create", "extend", "give_back")
        return [PlatformKey() if taking else HasScopeOrPlatformKey()]

    @extend_schema(request=TakeLeaseSerializer, responses={201: LeaseSerializer})
    def create(self, request: Request) -> Any:
        """Reserve up to `amount`, at least `minimum`. Spend until `spend_until`; report usage before `expires_at`."""
        asked = self.asked(TakeLeaseSerializer)
        name, key_id = asked.pop("organization"), asked.pop("key_id", None)
        times = {name: timedelta(seconds=asked.pop(f"{name}_seconds")) for name in ("ttl", "grace")}
        about = {"purpose": Hold.Purpose.LEASE, "by_platform": True, **times, **asked}

        def take() -> Hold:
            organization = admitted(request, name)
            return holds.place(organization, key=key_of(request, organization, key_id), **about)

        return self.once(take, status.HTTP_201_CREATED)

    @extend_schema(request=ExtendLeaseSerializer, responses=LeaseSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, id: str) -> Any:
        """Let the lease live for `ttl_seconds` from now, with `amount` more. 409 `lease_ended` when it has ended."""
        lease = self.get_object()
        asked = self.asked(ExtendLeaseSerializer)

        def extend() -> Hold:
            check_operational(lease.organization)
            return holds.extend(lease, amount=asked["amount"], ttl=timedelta(seconds=asked["ttl_seconds"]))

        return self.once(extend)

    @extend_schema(request=None, responses=LeaseSerializer)
    @action(detail=True, methods=["post"], url_path="return")
    def give_back(self, request: Request, id: str) -> Any:
        """End the lease: what was not spent is free again."""
        lease = self.get_object()
        return self.once(lambda: holds.release(lease))
