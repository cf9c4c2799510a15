from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts import access_explanation, members
from accounts.api.fields import EmailField
from accounts.lib import timezones
from accounts.models import Membership, Organization, User


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "name", "timezone"]
        read_only_fields = fields


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    id = serializers.CharField(source="public_id", read_only=True)
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.public_id", read_only=True, allow_null=True, default=None
    )
    timezone = serializers.CharField(max_length=64, required=False, validators=[timezones.validate])

    class Meta:
        model = Organization
        fields = ["id", "auth_id", "name", "parent", "status", "timezone", "created_at"]
        read_only_fields = ["auth_id", "status", "created_at"]

    def update(self, organization: Organization, changes: dict[str, Any]) -> Organization:
        """Only what was sent: a suspension or a move that came meanwhile stays."""
        for field, value in changes.items():
            setattr(organization, field, value)
        organization.save(update_fields=list(changes))
        return organization


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


class SignInSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=250)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=255)


class SwitchSerializer(serializers.Serializer[Any]):
    organization = serializers.CharField(max_length=21)


class PairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class SignedUpSerializer(PairSerializer):
    user = UserSerializer(read_only=True)
    organization = OrganizationSerializer(read_only=True)


class RoleSerializer(serializers.Serializer[Any]):
    """A role that reaches an organization, and the organization in which it was given."""

    role = serializers.ChoiceField(Membership.Role.choices)
    source = serializers.CharField(source="organization.public_id")  # type: ignore[assignment]


class RefusalSerializer(serializers.Serializer[Any]):
    scope = serializers.CharField()
    reason = serializers.ChoiceField([reason.value for reason in access_explanation.Reason])


class WhoAmISerializer(serializers.Serializer[Any]):
    """What a credential is, and may do. `missing_scopes` is what it was given but may not use now.

    `roles` are those of its person in the organization, from the root down. `refused` says of every scope that a
    request would be refused with, why.
    """

    kind = serializers.CharField()
    id = serializers.CharField()
    user = UserSerializer(allow_null=True)
    organization = OrganizationSerializer(allow_null=True)
    timezone = serializers.CharField()
    scopes = serializers.SerializerMethodField()
    missing_scopes = serializers.SerializerMethodField()
    permissions = serializers.ListField(child=serializers.CharField())
    roles = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()

    @extend_schema_field(RoleSerializer(many=True))
    def get_roles(self, credential: Any) -> Any:
        known = credential.user is not None and credential.organization is not None
        return RoleSerializer(members.roles(credential.organization, credential.user) if known else [], many=True).data

    @extend_schema_field(RefusalSerializer(many=True))
    def get_refused(self, credential: Any) -> Any:
        return RefusalSerializer(self.context.get("refusals", []), many=True).data

    def get_scopes(self, credential: Any) -> list[str]:
        return sorted(credential.scopes)

    def get_missing_scopes(self, credential: Any) -> list[str]:
        return sorted(credential.cap - credential.scopes)


class JwkSerializer(serializers.Serializer[Any]):
    kty = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()
    kid = serializers.CharField()
    n = serializers.CharField()
    e = serializers.CharField()


class JwksSerializer(serializers.Serializer[Any]):
    keys = JwkSerializer(many=True)
