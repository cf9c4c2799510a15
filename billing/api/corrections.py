"""Corrections of the ledger, for the company's back office."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api.fields import MomentField, PrintableField
from accounts.api.lookups import NAMED
from accounts.credentials import credential_of
from accounts.lib.money import LARGEST
from accounts.lib.problems import NotFound
from accounts.permissions import PlatformKey
from billing import clock
from billing.api.account import LedgerEntrySerializer
from billing.api.fields import AmountSerializerField, check_future
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import payer
from billing.ledger import corrections
from billing.models import LedgerEntry


class ReverseSerializer(MoneySerializer):
    """`expires_at` is when returned credits expire."""

    organization = serializers.CharField(max_length=21, required=False)
    reason = PrintableField(max_length=200)
    expires_at = MomentField(allow_null=True, default=None)


class AdjustSerializer(ReverseSerializer):
    """A positive amount adds credits, which may expire; a negative amount removes credits."""

    amount = AmountSerializerField(min_value=-LARGEST, max_value=LARGEST)

    def validate_amount(self, value: Decimal) -> Decimal:
        if not value:
            raise serializers.ValidationError("Must not be 0.")
        return value


class CorrectionSerializer(LedgerEntrySerializer):
    """The posted entry. `reverses` is the `id` of the entry that it reverses."""

    reverses = serializers.IntegerField(source="reverses_seq", read_only=True, allow_null=True)

    class Meta(LedgerEntrySerializer.Meta):
        fields = [*LedgerEntrySerializer.Meta.fields, "reverses"]
        read_only_fields = fields


class ReverseView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}

    @extend_schema(parameters=[NAMED], request=ReverseSerializer, responses={201: CorrectionSerializer})
    def post(self, request: Request, id: str) -> Any:
        """Reverse an entry, once. 409 `corrected_by_void` for usage, which is corrected by voiding its events."""
        params = _params(ReverseSerializer, request)
        organization = payer(request, params.pop("organization", None))
        check_currency(organization, params)
        entry = LedgerEntry.objects.of(organization).filter(seq=int(id)).first()
        if entry is None:
            raise NotFound
        actor = credential_of(request).id
        now = clock.now(organization)
        return _once(request, params, now, lambda: corrections.reverse(entry, actor=actor, now=now, **params))


class AdjustmentsView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}
    refusals = {"post": (404,)}

    @extend_schema(parameters=[NAMED], request=AdjustSerializer, responses={201: CorrectionSerializer})
    def post(self, request: Request) -> Any:
        """Add or remove credits, with a reason. Never refused for lack of credits: the balance may go negative."""
        params = _params(AdjustSerializer, request)
        organization = payer(request, params.pop("organization", None))
        check_currency(organization, params)
        actor = credential_of(request).id
        now = clock.now(organization)
        return _once(request, params, now, lambda: corrections.adjust(organization.pk, actor=actor, now=now, **params))


def _params(serializer_class: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _once(request: Request, params: Mapping[str, Any], now: datetime, verb: Callable[[], LedgerEntry]) -> Any:
    """Run `verb` under the request's idempotency key and answer with the entry that it posts."""

    def effect() -> Response:
        check_future("expires_at", params["expires_at"], now)
        entry = CorrectionSerializer(verb(), context={"request": request}).data
        return Response(entry, status=status.HTTP_201_CREATED)

    return idempotency.once(request, effect)
