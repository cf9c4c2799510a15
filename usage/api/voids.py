"""Voiding usage events, for the company's back office."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api import lookups
from accounts.api.fields import MomentField, PrintableField
from accounts.credentials import credential_of
from accounts.lib.problems import NotFound
from accounts.models import Organization
from accounts.permissions import PlatformKey
from billing import clock
from billing.api.fields import AmountSerializerField, check_future
from usage.metering import cloudevents, voids


class VoidSerializer(serializers.Serializer[Any]):
    """With `source`, the id in the path is a CloudEvent's. `expires_at` is when returned credits expire."""

    organization = serializers.CharField(max_length=21, required=False)
    reason = PrintableField(max_length=200)
    source = PrintableField(  # type: ignore[assignment]
        max_length=cloudevents.ATTRIBUTE_LIMIT, required=False, trim_whitespace=False
    )
    expires_at = MomentField(allow_null=True, default=None)


class VoidedSerializer(serializers.Serializer[Any]):
    """`entry` is the ledger entry that returned `credits`; null if the event was free."""

    event = serializers.CharField()
    organization = serializers.CharField()
    credits = AmountSerializerField()
    entry = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    voided_at = serializers.DateTimeField()


class VoidView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}

    @extend_schema(parameters=[lookups.NAMED], request=VoidSerializer, responses={201: VoidedSerializer})
    def post(self, request: Request, id: str) -> Any:
        """Void an event, once: it no longer counts in any figure, and its charge is returned.

        The event is kept, and a retry with its `id` is a duplicate. If the id was used again after 35 days, the newest
        event is voided.
        """
        serializer = VoidSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        organization = lookups.organization(request, body.get("organization"))
        event_id = _event_id(id, body.get("source"))

        def effect() -> Response:
            now = clock.now(organization)
            check_future("expires_at", body["expires_at"], now)
            voided = voids.void(
                organization,
                event_id,
                reason=body["reason"],
                actor=credential_of(request).id,
                now=now,
                expires_at=body["expires_at"],
            )
            return Response(_shown(id, organization, voided), status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)


def _event_id(id: str, source: str | None) -> str:
    """The id of the usage event; `NotFound` if no event can have it."""
    if not id.replace(cloudevents.NO_BREAK_SPACE, "").isprintable():
        raise NotFound("There is no such event.")
    return id if source is None else cloudevents.identity(source, id)


def _shown(id: str, organization: Organization, voided: voids.Voided) -> dict[str, Any]:
    fields = {
        "event": id,
        "organization": organization.public_id,
        "credits": voided.credits,
        "entry": voided.entry,
        "reason": voided.reason,
        "voided_at": voided.voided_at,
    }
    shown: dict[str, Any] = VoidedSerializer(fields).data
    return shown
