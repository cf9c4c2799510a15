"""The gate over HTTP."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.exceptions import InvalidField
from accounts.permissions import PlatformKey
from billing.models import Meter
from usage import gate
from usage.api.serializers import VerdictSerializer, VerifySerializer


class VerifyView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "keys:read"}

    @extend_schema(request=VerifySerializer, responses=VerdictSerializer)
    def post(self, request: Request) -> Response:
        """Whether a customer's key may make this call now, and what it would cost. It moves nothing."""
        serializer = VerifySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        verdict = gate.verify(
            asked["key"],
            timezone.now(),
            permission=asked["permission"],
            meter=_meter(asked["meter"]),
            quantity=asked["quantity"],
            ip=asked["ip"],
        )
        return Response(VerdictSerializer(verdict).data)


def _meter(slug: str | None) -> Meter | None:
    if slug is None:
        return None
    meter = Meter.objects.select_related("price").filter(slug=slug).first()
    if meter is None:
        raise InvalidField("meter", "There is no such meter.")
    return meter
