from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import access_explanation, people, signing, tokens
from accounts.api.serializers import (
    JwksSerializer,
    PairSerializer,
    RefreshSerializer,
    SignedUpSerializer,
    SignInSerializer,
    SignUpSerializer,
    SwitchSerializer,
    WhoAmISerializer,
)
from accounts.credentials import credential_of
from accounts.lib.addresses import client_address
from accounts.permissions import Authenticated


class AnonymousView(APIView):
    """Open to anyone, and limited by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    limited_by_address = True


class SignUpView(AnonymousView):
    refusals = {"post": (409,)}

    @extend_schema(request=SignUpSerializer, responses={201: SignedUpSerializer})
    def post(self, request: Request) -> Response:
        """Make a user and a default organization that the user owns."""
        serializer = SignUpSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = serializer.validated_data["user"]
        organization = people.sign_up(user)
        pair = tokens.issue(user, organization)
        made = {"user": user, "organization": organization, "access": pair.access, "refresh": pair.refresh}
        return Response(SignedUpSerializer(made).data, status=status.HTTP_201_CREATED)


class TokenView(AnonymousView):
    refusals = {"post": (401,)}

    @extend_schema(request=SignInSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Sign in with email and password, for the current organization."""
        serializer = SignInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(PairSerializer(tokens.sign_in(request._request, **serializer.validated_data)).data)


class RefreshView(AnonymousView):
    refusals = {"post": (401, 409)}

    @extend_schema(request=RefreshSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, once, for a new pair."""
        return Response(PairSerializer(tokens.refresh(_refresh_token(request))).data)


class RevokeView(AnonymousView):
    @extend_schema(request=RefreshSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the sign-in that a refresh token belongs to, its access tokens included."""
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
        """Tokens for another organization of the caller's, which becomes the current one.

        The sign-in goes on with its age and expiry: the refresh token before is replaced, as by a refresh.
        """
        serializer = SwitchSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        credential = credential_of(request)
        user = tokens.person(credential)
        organization = people.visible_organization(user, serializer.validated_data["organization"])
        return Response(PairSerializer(tokens.switch(credential, organization)).data)


class WhoAmIView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        """What this credential is, and may do at this moment; why not, where it may not."""
        credential = credential_of(request)
        context = {"refusals": access_explanation.explain(credential, address=client_address(request))}
        return Response(WhoAmISerializer(credential, context=context).data)


class JwksView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=JwksSerializer)
    def get(self, request: Request) -> Response:
        """The public keys that verify Tollgate's access tokens."""
        return Response(signing.jwks(), headers={"Cache-Control": "public, max-age=300"})
