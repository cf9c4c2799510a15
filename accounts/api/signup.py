from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import invitations, people, sign_in_limits, tokens
from accounts.api.fields import EmailField
from accounts.api.invitations import TOKEN_LENGTH
from accounts.api.organizations import OrganizationSerializer
from accounts.api.tokens import AnonymousView, PairSerializer
from accounts.lib import timezones
from accounts.lib.addresses import caller_network
from accounts.models import User


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
            detail = "Who joins the organization of an invitation gets none of their own."
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


class SignUpView(AnonymousView):
    refusals = {"post": (404, 409, 410)}

    @extend_schema(request=SignUpSerializer, responses={201: SignedUpSerializer})
    def post(self, request: Request) -> Response:
        """Make a user, and an organization that the user owns.

        With the token of an `invitation`, the user joins its organization and gets none of their own.
        """
        serializer = SignUpSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user, token = serializer.validated_data["user"], serializer.validated_data["invitation"]
        if token:
            organization = invitations.sign_up(user, token)
        else:
            organization = people.sign_up(user, organization_name=serializer.validated_data["organization_name"])
        sign_in_limits.remember(user, caller_network(request))
        pair = tokens.issue(user, organization)
        made = {"user": user, "organization": organization, "access": pair.access, "refresh": pair.refresh}
        return Response(SignedUpSerializer(made).data, status=status.HTTP_201_CREATED)
