from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts import sign_ins, tokens
from accounts.credentials import credential_of
from accounts.lib.problems import NotFound
from accounts.permissions import Authenticated

EXAMPLE = {
    "id": "0199f0c2-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "kind": "browser",
    "device": "Firefox on Windows",
    "network": "203.0.113.0",
    "created_at": "2026-01-15T08:30:00Z",
    "last_used_at": "2026-01-15T09:41:00Z",
    "is_current": False,
}


class SessionSerializer(serializers.Serializer[Any]):
    """A place where the person is signed in: the dashboard in a `browser`, or a program at the `api`."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["browser", "api"])
    device = serializers.CharField()
    network = serializers.CharField(help_text="The IPv4 address, or the /64 network of the IPv6 address")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    is_current = serializers.BooleanField()


class SessionsSerializer(serializers.Serializer[Any]):
    results = SessionSerializer(many=True)


class EndedSerializer(serializers.Serializer[Any]):
    ended = serializers.IntegerField()


class SessionViewSet(ViewSet):
    """Where the person is signed in, in the dashboard and at the API."""

    permission_classes = (Authenticated,)
    serializer_class = SessionSerializer
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9a-zA-Z-]{1,40}"

    @extend_schema(
        responses=SessionsSerializer,
        examples=[OpenApiExample("sessions", {"results": [EXAMPLE]}, response_only=True, status_codes=["200"])],
    )
    def list(self, request: Request) -> Response:
        """All sign-ins of the person, the last used first."""
        credential = credential_of(request)
        current = sign_ins.Current(sid=credential.sign_in)
        rows = sign_ins.of(tokens.person(credential), current, timezone.now())
        return Response({"results": SessionSerializer(rows, many=True).data})

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """End a sign-in, from its next request on."""
        try:
            sign_in = UUID(id)
        except ValueError as error:
            raise NotFound("There is no such sign-in.") from error
        sign_ins.end(tokens.person(credential_of(request)), sign_in, timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=EndedSerializer)
    @action(detail=False, methods=["post"], url_path="end-others")
    def end_others(self, request: Request) -> Response:
        """End all sign-ins but the one that asks."""
        credential = credential_of(request)
        current = sign_ins.Current(sid=credential.sign_in)
        ended = sign_ins.end_others(tokens.person(credential), current, timezone.now())
        return Response({"ended": ended})
