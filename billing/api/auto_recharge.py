"""The settings of auto-recharge."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.credentials import organization_of
from billing import accounts
from billing.api.fields import AmountSerializerField
from billing.models import AutoRecharge


class AutoRechargeSerializer(serializers.ModelSerializer[AutoRecharge]):
    threshold = AmountSerializerField(read_only=True, allow_null=True)
    amount = AmountSerializerField(read_only=True, allow_null=True)
    target = AmountSerializerField(read_only=True, allow_null=True)
    monthly_limit = AmountSerializerField(read_only=True, allow_null=True)
    payment_method = serializers.CharField(
        source="payment_method.public_id", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = AutoRecharge
        fields = ["enabled", "threshold", "amount", "target", "payment_method", "monthly_limit", "monthly_count"]
        read_only_fields = fields


class AutoRechargeView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=AutoRechargeSerializer)
    def get(self, request: Request) -> Response:
        """The settings of auto-recharge; off until they are set."""
        accounts.find(organization_of(request))
        settings = AutoRecharge.objects.of(organization_of(request)).select_related("payment_method").first()
        return Response(AutoRechargeSerializer(settings or AutoRecharge()).data)
