"""Taking a usage event back, for the company's back office."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.api.fields import MomentField
from accounts.credentials import credential_of
from accounts.lib.problems import NotFound
from accounts.models import Organization
from accounts.permissions import PlatformKey
from billing.api.fields import AmountSerializerField, PrintableField, check_future
from billing.api.payers import subject
from usage.metering import cloudevents, voids


class VoidSerializer(serializers.Serializer[Any]):
    """`source` is for a CloudEvent, which is then named by its own id; `expires_at`, for what the void gives back."""

    organization = serializers.CharField(max_length=21)
    reason = PrintableField(max_length=200)
    source = PrintableField(  # type: ignore[assignment]
        max_length=cloudevents.ATTRIBUTE_LIMIT, required=False, trim_whitespace=False
    )
    expires_at = MomentField(allow_null=True, default=None)


class VoidedSerializer(serializers.Serializer[Any]):
    """`entry` is the ledger's adjustment of `credits`; null where the event had been charged nothing."""

    event = serializers.CharField()
    organization = serializers.CharField()
    credits = AmountSerializerField()
    entry = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    voided_at = serializers.DateTimeField()


class VoidView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}

    @extend_schema(request=VoidSerializer, responses={201: VoidedSerializer})
    def post(self, request: Request, id: str) -> Any:
        """Take an event back, once: it counts in no figure any more, and what it was charged is given back.

        The event stays, and its `id` is a duplicate for a retry. Of events that used the id again after 35 days, the
        newest is meant.
        """
        form = VoidSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        organization, stored = subject(request, asked["organization"]), _stored(id, asked.get("source"))

        def effect() -> Response:
            check_future("expires_at", asked["expires_at"])
            about = {"reason": asked["reason"], "expires_at": asked["expires_at"]}
            voided = voids.void(organization, stored, actor=credential_of(request).id, **about)
            return Response(_shown(id, organization, voided), status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)


def _stored(id: str, source: str | None) -> str:
    """The id that the event is kept under; `NotFound` for what none can have."""
    if not id.replace(cloudevents.NO_BREAK_SPACE, "").isprintable():
        raise NotFound("There is no such event.")
    return id if source is None else cloudevents.identity(source, id)


def _shown(id: str, organization: Organization, voided: voids.Voided) -> dict[str, Any]:
    about = {"event": id, "organization": organization.public_id, "credits": voided.credits, "entry": voided.entry}
    shown: dict[str, Any] = VoidedSerializer({**about, "reason": voided.reason, "voided_at": voided.voided_at}).data
    return shown
