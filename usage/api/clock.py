"""The clock of a test organization, which is moved ahead to see what time brings."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import events
from accounts.api.fields import KnownMembers, MomentField
from accounts.credentials import credential_of
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from billing import clock
from billing.api.payers import payer
from usage.storage import advancing

FARTHEST = timedelta(days=400)  # at once, so that the answer does not take too long


class MoveClockSerializer(KnownMembers):
    organization = serializers.CharField(max_length=21, required=False)
    now = MomentField(help_text="The moment to move to: not back, and at most 400 days ahead at once")


class ClockSerializer(serializers.Serializer[Any]):
    """`is_moved`: it is a test organization, for good."""

    organization = serializers.CharField()
    now = serializers.DateTimeField()
    is_moved = serializers.BooleanField()


class ClockView(APIView):
    permission_classes = (HasScopeOrPlatformKey,)
    scopes = {"get": "credits:read", "post": "credits:write"}

    @extend_schema(responses=ClockSerializer)
    def get(self, request: Request) -> Response:
        """What time it is for the organization."""
        return _answer(payer(request))

    @extend_schema(request=MoveClockSerializer, responses=ClockSerializer)
    def post(self, request: Request) -> Response:
        """Move the clock ahead, and run what falls due on the way. With the sandbox gateway only.

        Holds and lots expire, subscriptions renew, auto-recharge buys, months are closed, in order. The organization is
        a test organization from then on.
        """
        serializer = MoveClockSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        organization = payer(request, params.get("organization"))
        if params["now"] > clock.now(organization) + FARTHEST:
            raise InvalidField("now", "At most 400 days ahead at once.")
        advancing.advance(organization, params["now"], actor=events.actor_of(credential_of(request)))
        return _answer(Organization.objects.get(pk=organization.pk))


def _answer(organization: Organization) -> Response:
    now, is_moved = clock.now(organization), clock.is_moved(organization)
    return Response(ClockSerializer({"organization": organization.public_id, "now": now, "is_moved": is_moved}).data)
