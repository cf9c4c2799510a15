"""Holds: reserve credits, then capture or release them."""

from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.filters import CreatedFilter, text_parameter
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from apikeys import authentication
from apikeys.models import ApiKey
from billing.api.payers import admitted, check_address, subject
from billing.api.serializers import CaptureHoldSerializer, HoldSerializer, PlaceHoldSerializer
from billing.ledger import holds
from billing.models import Hold

WHOSE = "Whose, and of all beneath it; a platform key has to name it"


class HoldFilter(CreatedFilter):
    status = django_filters.ChoiceFilter(choices=Hold.Status.choices, method="with_status")
    key_id = django_filters.CharFilter(field_name="key__public_id")
    reference = django_filters.CharFilter(field_name="reference")

    class Meta:
        model = Hold
        fields: list[str] = []

    def with_status(self, found: Any, name: str, value: str) -> Any:
        return found.with_status(value, timezone.now())


class ReservationViewSet(PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Hold]):
    """What holds and leases have in common: who sees them, and by which name."""

    permission_classes = (HasScopeOrPlatformKey,)
    filterset_class = HoldFilter
    queryset = Hold.objects.none()
    id_prefix = "hold_"
    purpose: Hold.Purpose

    def get_queryset(self) -> QuerySet[Hold]:
        every = Hold.objects.filter(purpose=self.purpose).select_related("organization", "key").order_by("-pk")
        if self.action == "list":
            return every.within(subject(self.request, text_parameter(self.request, "organization")))
        return every if credential_of(self.request).is_platform else every.within(organization_of(self.request))

    @extend_schema(parameters=[OpenApiParameter("organization", str, description=WHOSE)])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Those of the organization and of all beneath it, newest first."""
        return super().list(request, *args, **kwargs)

    def asked(self, form: Any) -> dict[str, Any]:
        serializer = form(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def once(self, verb: Any, code: int = status.HTTP_200_OK) -> Any:
        """The reservation that `verb` returns, as it is then."""
        shown = self.get_serializer_class()
        return idempotency.once(self.request, lambda: Response(shown(verb()).data, status=code))


class HoldViewSet(ReservationViewSet):
    """Credits that are reserved for work not finished yet, newest first: the organization's, and those beneath it."""

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
        """Reserve credits of the payer. A platform key names the organization; others may name one beneath theirs."""
        check_live(request)
        asked = self.asked(PlaceHoldSerializer)
        name, key_id = asked.pop("organization", None), asked.pop("key_id", None)
        ttl = timedelta(seconds=asked.pop("ttl_seconds"))
        about = {"ttl": ttl, "by_platform": credential_of(request).is_platform, **asked}

        def place() -> Hold:
            organization = admitted(request, name)
            return holds.place(organization, key=key_of(request, organization, key_id), **about)

        return self.once(place, status.HTTP_201_CREATED)

    @extend_schema(request=CaptureHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, id: str) -> Any:
        """Debit less than is held, as much, or more, and free the hold. Zero debits nothing. It is never refused."""
        hold = self._own()
        amount = self.asked(CaptureHoldSerializer).get("amount")
        return self.once(lambda: holds.capture(hold, amount, actor=credential_of(request).id))

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, id: str) -> Any:
        """Free the hold, and debit nothing."""
        hold = self._own()
        return self.once(lambda: holds.release(hold))

    def _own(self) -> Hold:
        check_live(self.request)
        hold: Hold = self.get_object()
        check_address(self.request, hold.organization)
        if hold.by_platform and not credential_of(self.request).is_platform:
            raise holds.PlatformsHold
        return hold


def check_live(request: Request) -> None:
    credential = credential_of(request)
    key = None if credential.is_platform else authentication.key_of(credential)
    if key and key.environment == ApiKey.Environment.TEST:
        raise holds.LiveKeyRequired


def key_of(request: Request, organization: Organization, public_id: str | None) -> ApiKey | None:
    """The organization's key that is named. A customer's key counts as itself, for whatever organization it asks."""
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
