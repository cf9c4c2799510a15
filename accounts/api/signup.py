from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import accepting, people, sign_in_limits, sign_up, tokens
from accounts.api.fields import EmailField
from accounts.api.invitations import TOKEN_LENGTH
from accounts.api.organizations import OrganizationSerializer
from accounts.api.tokens import AnonymousView, PairSerializer
from accounts.lib import identifiers, timezones
from accounts.lib.addresses import caller_network
from accounts.models import EmailCode, Organization, User
from accounts.origins import origin_of


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "name", "timezone"]
        read_only_fields = fields


class SignUpSerializer(serializers.Serializer[Any]):
    email = EmailField(max_length=250)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    organization_name = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    timezone = serializers.CharField(max_length=64, required=False, default="UTC", validators=[timezones.validate])
    invitation = serializers.CharField(max_length=TOKEN_LENGTH, required=False, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["invitation"] and attrs["organization_name"]:
            detail = "Not allowed with an invitation: you join its organization."
            raise serializers.ValidationError({"organization_name": detail})
        attrs["user"] = User(**{field: attrs[field] for field in ("email", "name", "timezone")})
        try:
            validate_password(attrs["password"], attrs["user"])
        except ValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        attrs["user"].set_password(attrs["password"])
        return attrs


class SignedUpSerializer(PairSerializer):
    user = UserSerializer(read_only=True)
    organization = OrganizationSerializer(read_only=True)


class CodeSentSerializer(serializers.ModelSerializer[EmailCode]):
    """A code was sent to the address, whether or not it is taken. `sign_up` is the id of this attempt."""

    sign_up = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = EmailCode
        fields = ["sign_up", "email", "expires_at"]
        read_only_fields = fields


class SignUpCodeSerializer(serializers.Serializer[Any]):
    email = EmailField(max_length=250)
    code = serializers.CharField(max_length=20)
    sign_up = serializers.CharField(max_length=35, required=False)

    def validate_sign_up(self, text: str) -> UUID:
        try:
            return identifiers.uuid_of(text, "su_")
        except ValueError as error:
            raise serializers.ValidationError("Must be the id from the answer 202.") from error


class SignUpView(AnonymousView):
    refusals = {"post": (404, 409, 410)}

    @extend_schema(request=SignUpSerializer, responses={201: SignedUpSerializer, 202: CodeSentSerializer})
    def post(self, request: Request) -> Response:
        """Create a user, and an organization that the user owns.

        With the token of an `invitation`, the user joins its organization and gets none of their own. Where addresses
        are verified, the answer is 202, and the code that was sent goes to /v1/auth/verify.
        """
        serializer = SignUpSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user, token = serializer.validated_data["user"], serializer.validated_data["invitation"]
        name = serializer.validated_data["organization_name"]
        if token:
            accepting.look_up(token, caller_network(request))
        if settings.EMAIL_VERIFICATION:
            sent = sign_up.begin(
                user,
                organization_name=name,
                invitation=token,
                network=caller_network(request),
                now=timezone.now(),
            )
            return Response(CodeSentSerializer(sent).data, status=status.HTTP_202_ACCEPTED)
        organization = accepting.sign_up(user, token) if token else people.sign_up(user, organization_name=name)
        return _signed_up(request, user, organization)


class VerifyView(AnonymousView):
    refusals = {"post": (404, 409, 410)}

    @extend_schema(request=SignUpCodeSerializer, responses={201: SignedUpSerializer})
    def post(self, request: Request) -> Response:
        """Finish signing up with the code from the email.

        `sign_up` says which sign-up: it may be left out while no other one waits for the address.
        """
        serializer = SignUpCodeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        network = caller_network(request)
        params = serializer.validated_data
        user, organization = sign_up.finish(
            params["email"], params["code"], network=network, now=timezone.now(), only=params.get("sign_up")
        )
        return _signed_up(request, user, organization)


def _signed_up(request: Request, user: User, organization: Organization) -> Response:
    sign_in_limits.remember(user, caller_network(request))
    pair = tokens.issue(user, organization, origin=origin_of(request))
    made = {"user": user, "organization": organization, "access": pair.access, "refresh": pair.refresh}
    return Response(SignedUpSerializer(made).data, status=status.HTTP_201_CREATED)
