from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import people, sign_in_limits, tokens
from accounts.api.fields import EmailField
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
    timezone = serializers.CharField(max_length=64, required=False, default="UTC", validators=[timezones.validate])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
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
    refusals = {"post": (409,)}

    @extend_schema(request=SignUpSerializer, responses={201: SignedUpSerializer})
    def post(self, request: Request) -> Response:
        """Make a user and a default organization that the user owns."""
        serializer = SignUpSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = serializer.validated_data["user"]
        organization = people.sign_up(user)
        sign_in_limits.remember(user, caller_network(request))
        pair = tokens.issue(user, organization)
        made = {"user": user, "organization": organization, "access": pair.access, "refresh": pair.refresh}
        return Response(SignedUpSerializer(made).data, status=status.HTTP_201_CREATED)
