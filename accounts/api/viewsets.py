from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency, people, scopes, signing, tokens
from accounts.api.serializers import (
    JwksSerializer,
    OrganizationSerializer,
    PairSerializer,
    RefreshSerializer,
    SignedUpSerializer,
    SignInSerializer,
    SignUpSerializer,
    SwitchSerializer,
    WhoAmISerializer,
)
from accounts.credentials import Credential, Kind, credential_of, organization_of
from accounts.models import Organization
from accounts.permissions import Authenticated, OrganizationRequired, require


class AnonymousView(APIView):
    """Open to anyone, and limited by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    limited_by_address = True


class SignUpView(AnonymousView):
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
    @extend_schema(request=SignInSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Sign in with email and password, for the current organization."""
        serializer = SignInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(PairSerializer(tokens.sign_in(request._request, **serializer.validated_data)).data)


class RefreshView(AnonymousView):
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

    @extend_schema(request=SwitchSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Tokens for another organization of the caller's, which becomes the current one."""
        serializer = SwitchSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = tokens.person(credential_of(request))
        organization = people.visible_organization(user, serializer.validated_data["organization"])
        return Response(PairSerializer(tokens.switch(user, organization)).data)


class WhoAmIView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        """What this credential is, and may do at this moment."""
        return Response(WhoAmISerializer(credential_of(request)).data)


class JwksView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=JwksSerializer)
    def get(self, request: Request) -> Response:
        """The public keys that verify Tollgate's access tokens."""
        return Response(signing.jwks(), headers={"Cache-Control": "public, max-age=300"})


class OrganizationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[Organization]
):
    """The tree that the caller can see; a new one is a child of the current organization."""

    scopes = {
        "list": "account:read",
        "retrieve": "account:read",
        "create": "account:write",
        "partial_update": "account:write",
    }
    serializer_class = OrganizationSerializer
    queryset = Organization.objects.none()
    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[a-z0-9_]{1,21}"
    http_method_names = ["get", "post", "patch", "head", "options"]

    def get_queryset(self) -> QuerySet[Organization]:
        return visible_organizations(credential_of(self.request)).select_related("parent").order_by("created_at", "pk")

    def create(self, request: Request) -> Any:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        parent = organization_of(request)

        def effect() -> Response:
            child = people.add_child(parent, **serializer.validated_data)
            return Response(OrganizationSerializer(child).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    def perform_update(self, serializer: Any) -> None:
        require(_credential_in(credential_of(self.request), serializer.instance), "account:write")
        serializer.save()


def visible_organizations(credential: Credential) -> QuerySet[Organization]:
    """A person sees every organization of theirs; a program its own and what is beneath."""
    if credential.kind is Kind.TOKEN and credential.user:
        return Organization.objects.visible_to(credential.user)
    if credential.organization:
        return Organization.objects.within(credential.organization)
    raise OrganizationRequired


def _credential_in(credential: Credential, organization: Organization) -> Credential:
    """The credential as it stands in another organization, where its person may have another role."""
    if credential.user is None:
        return credential
    held = scopes.of_roles(organization.roles_of(credential.user))
    return credential.in_organization(organization, held)
