"""The frozen rows of closed months: `/v1/usage/months`."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers
from rest_framework.viewsets import GenericViewSet

from accounts.credentials import organization_of
from accounts.lib.problems import InvalidField
from billing.api.fields import AmountSerializerField
from usage.api import parameters
from usage.models import MonthlyUsage


class MonthlyUsageSerializer(serializers.ModelSerializer[MonthlyUsage]):
    """`late` usage occurred in an earlier month, but arrived after it was closed."""

    id = serializers.IntegerField(read_only=True)
    month = serializers.DateField(format="%Y-%m", read_only=True)
    organization = serializers.CharField(source="organization.public_id", read_only=True)
    meter = serializers.CharField(source="meter.slug", read_only=True)
    occurred_in = serializers.DateField(format="%Y-%m", read_only=True)
    late = serializers.BooleanField(read_only=True)
    quantity = AmountSerializerField(read_only=True)
    credits = AmountSerializerField(read_only=True)

    class Meta:
        model = MonthlyUsage
        fields = [
            *("id", "month", "organization", "meter", "occurred_in", "late"),
            *("requests", "failed", "quantity", "credits"),
        ]
        read_only_fields = fields


@extend_schema_view(
    list=extend_schema(
        parameters=[
            OpenApiParameter("month", str, description="Only of this one, such as 2026-10"),
            OpenApiParameter("meter", str, description="Only this one"),
        ]
    )
)
class MonthlyUsageViewSet(mixins.ListModelMixin, GenericViewSet[MonthlyUsage]):
    """What the current organization and all beneath it used in closed months: live usage, which never changes."""

    scopes = {"list": "usage:read"}
    serializer_class = MonthlyUsageSerializer
    queryset = MonthlyUsage.objects.none()

    def get_queryset(self) -> QuerySet[MonthlyUsage]:
        rows = MonthlyUsage.objects.within(organization_of(self.request))
        if meter := parameters.meter(self.request):
            rows = rows.filter(meter=meter)
        if month := parameters.month(self.request):
            rows = rows.filter(month=month)
        return rows.select_related("organization", "meter").order_by("-id")

    def following(self, rows: QuerySet[MonthlyUsage], id: str) -> QuerySet[MonthlyUsage]:
        """Rows after the one with this id. A payer's come one by one, under its lock."""
        if not (id.isascii() and id.isdigit() and len(id) <= 18):
            raise InvalidField("after", "Must be the id of a row, or 0.")
        return rows.filter(id__gt=int(id)).order_by("id")
