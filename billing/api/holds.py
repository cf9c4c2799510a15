"""Holds: reserve credits, then capture or release them."""

from datetime import timedelta
from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api import lookups
from accounts.api.fields import IntegerField, PrintableField
from accounts.api.filters import CreatedFilter
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of
from accounts.lib.money import LARGEST, ZERO
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from apikeys import authentication
from apikeys.models import ApiKey
from billing import clock
from billing.api.fields import AmountSerializerField, MetadataField, PositiveAmountField
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import admitted
from billing.ledger import holds
from billing.models import Hold


class HoldSerializer(serializers.ModelSerializer[Hold]):
    """`late` is only present, and true, if the hold was captured after it expired."""

    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.SerializerMethodField()
    amount = AmountSerializerField(read_only=True)
    captured = AmountSerializerField(read_only=True)
    organization = serializers.CharField(source="organization.public_id", read_only=True)
    key_id = serializers.CharField(source="key.public_id", read_only=True, default=None, allow_null=True)
    metadata = serializers.DictField(read_only=True)
    late = serializers.BooleanField(required=False)

    class Meta:
        model = Hold
        fields = [
            *("id", "status", "amount", "captured", "expires_at", "organization", "key_id", "reference"),
            *("metadata", "created_at", "late"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(Hold.Status.choices))
    def get_status(self, hold: Hold) -> str:
        return hold.status_at(clock.now(hold.organization))

    def to_representation(self, instance: Hold) -> dict[str, Any]:
        members = super().to_representation(instance)
        return {name: value for name, value in members.items() if value or name != "late"}


class PlaceHoldSerializer(MoneySerializer):
    organization = serializers.CharField(max_length=21, required=False)
    key_id = serializers.CharField(max_length=20, required=False, allow_null=True)
    amount = PositiveAmountField()
    ttl_seconds = IntegerField(min_value=1, max_value=86400, default=300)
    reference = PrintableField(max_length=100, allow_blank=True, trim_whitespace=False, default="")
    metadata = MetadataField(default=dict)


class CaptureHoldSerializer(MoneySerializer):
    """Without an amount, everything held is captured."""

    amount = AmountSerializerField(min_value=ZERO, max_value=LARGEST, required=False)


class HoldFilter(CreatedFilter):
    status = django_filters.ChoiceFilter(choices=Hold.Status.choices, method="with_status")
    key_id = django_filters.CharFilter(method="of_key")
    reference = django_filters.CharFilter(field_name="reference")

    class Meta:
        model = Hold
        fields: list[str] = []

    def of_key(self, reservations: Any, name: str, value: str) -> Any:
        request = cast(Request, self.request)
        organization = lookups.organization(request)
        key = ApiKey.objects.within(organization).filter(public_id=value).first()
        if key is None:
            raise InvalidField(name, "There is no such key.")
        return reservations.filter(key=key)

    def with_status(self, reservations: Any, name: str, value: str) -> Any:
        request = cast(Request, self.request)
        organization = lookups.organization(request)
        return reservations.with_status(value, clock.now(organization))


class ReservationViewSet(PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Hold]):
    """What holds and leases share: who may see them, and how they are found."""

    permission_classes = (HasScopeOrPlatformKey,)
    filterset_class = HoldFilter
    queryset = Hold.objects.none()
    id_prefix = "hold_"
    purpose: Hold.Purpose

    def get_queryset(self) -> QuerySet[Hold]:
        reservations = Hold.objects.filter(purpose=self.purpose).select_related("organization", "key").order_by("-pk")
        if self.action == "list":
            return reservations.within(lookups.organization(self.request))
        organization = credential_of(self.request).organization
        return reservations.within(organization) if organization else reservations

    def get_object(self) -> Any:
        reservation = super().get_object()
        lookups.check_address(self.request, reservation.organization)
        return reservation

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List those of the organization and everything beneath it, newest first."""
        return super().list(request, *args, **kwargs)

    def params(self, serializer_class: Any) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def once(self, verb: Any, code: int = status.HTTP_200_OK) -> Any:
        """Run `verb` under the request's idempotency key and answer with the reservation that it returns."""
        serializer_class = self.get_serializer_class()
        return idempotency.once(self.request, lambda: Response(serializer_class(verb()).data, status=code))


class HoldViewSet(ReservationViewSet):
    """Credits reserved for unfinished work."""

    scopes = {
        "list": "credits:read",
        "retrieve": "credits:read",
        "create": "credits:write",
        "capture": "credits:write",
        "release": "credits:write",
    }
    refusals = {"list": (404,), "create": (402, 404)}
    serializer_class = HoldSerializer
    purpose = Hold.Purpose.HOLD

    @extend_schema(request=PlaceHoldSerializer, responses={201: HoldSerializer})
    def create(self, request: Request) -> Any:
        """Reserve credits. A platform key must name the organization; others may name one beneath their own."""
        params = self.params(PlaceHoldSerializer)
        name, key_id = params.pop("organization", None), params.pop("key_id", None)
        ttl = timedelta(seconds=params.pop("ttl_seconds"))
        by_platform = credential_of(request).is_platform

        def place() -> Hold:
            organization = admitted(request, name)
            check_currency(organization, params)
            key = key_of(request, organization, key_id)
            now = clock.now(organization)
            return holds.place(organization, key=key, ttl=ttl, now=now, by_platform=by_platform, **params)

        return self.once(place, status.HTTP_201_CREATED)

    @extend_schema(request=CaptureHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, id: str) -> Any:
        """Debit any amount, even more than is held, and close the hold. Never refused for lack of credits."""
        hold = self._own()
        params = self.params(CaptureHoldSerializer)
        check_currency(hold.organization, params)
        amount = params.get("amount")
        now = clock.now(hold.organization)
        return self.once(lambda: holds.capture(hold, amount, now=now, actor=credential_of(request).id))

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, id: str) -> Any:
        """Close the hold without a debit."""
        hold = self._own()
        return self.once(lambda: holds.release(hold, now=clock.now(hold.organization)))

    def _own(self) -> Hold:
        hold: Hold = self.get_object()
        if hold.by_platform and not credential_of(self.request).is_platform:
            raise holds.PlatformsHold
        return hold


def key_of(request: Request, organization: Organization, public_id: str | None) -> ApiKey | None:
    """The key that the hold counts against: the one that the platform names, or the customer's own key."""
    credential = credential_of(request)
    own = None if credential.is_platform else authentication.key_of(credential)
    if own:
        if public_id not in (None, own.public_id):
            raise InvalidField("key_id", "An API key reserves as itself.")
        return own
    if public_id is None:
        return None
    key = ApiKey.objects.of(organization).filter(public_id=public_id).first()
    if key is None:
        raise InvalidField("key_id", "The organization has no such key.")
    if key.environment == ApiKey.Environment.TEST:
        raise InvalidField("key_id", "This is a test key, which costs nothing.")
    return key
