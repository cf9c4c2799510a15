from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import people, tokens
from accounts.credentials import credential_of
from accounts.permissions import Authenticated


class SignInSerializer(serializers.Serializer[Any]):
    """`email` and `password`; or after `two_factor_required`, its `challenge` and a `code`."""

    email = serializers.CharField(max_length=250, required=False)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True, required=False)
    challenge = serializers.CharField(max_length=100, required=False)
    code = serializers.CharField(max_length=20, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = ("challenge", "code") if "challenge" in attrs else ("email", "password")
        if missing := [name for name in needed if name not in attrs]:
            raise serializers.ValidationError(dict.fromkeys(missing, "This field is required."))
        return {name: attrs[name] for name in needed}


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=255)


class SwitchSerializer(serializers.Serializer[Any]):
    organization = serializers.CharField(max_length=21)


class PairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class AnonymousView(APIView):
    """Open to anyone, and limited by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    limited_by_address = True


class TokenView(AnonymousView):
    refusals = {"post": (401,)}

    @extend_schema(request=SignInSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Sign in with email and password, for the current organization.

        With a second factor, the response is 401 `two_factor_required` with a `challenge`: send it with a `code`.
        """
        serializer = SignInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        begin_or_finish = tokens.answer if "challenge" in serializer.validated_data else tokens.sign_in
        return Response(PairSerializer(begin_or_finish(request._request, **serializer.validated_data)).data)


class RefreshView(AnonymousView):
    refusals = {"post": (401, 409)}

    @extend_schema(request=RefreshSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair. Each refresh token works once."""
        return Response(PairSerializer(tokens.refresh(_refresh_token(request))).data)


class RevokeView(AnonymousView):
    @extend_schema(request=RefreshSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the sign-in that a refresh token belongs to, including its access tokens."""
        tokens.revoke(_refresh_token(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _refresh_token(request: Request) -> str:
    serializer = RefreshSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    token: str = serializer.validated_data["refresh"]
    return token


class SwitchView(APIView):
    permission_classes = (Authenticated,)
    refusals = {"post": (404,)}

    @extend_schema(request=SwitchSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Switch to another of the caller's organizations, and get tokens for it.

        The sign-in goes on with its age and expiry: the refresh token before is replaced, as by a refresh.
        """
        serializer = SwitchSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        credential = credential_of(request)
        user = tokens.person(credential)
        organization = people.visible_organization(user, serializer.validated_data["organization"])
        return Response(PairSerializer(tokens.switch(credential, organization)).data)
