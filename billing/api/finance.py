"""The packages for bookkeeping, for the company's back office."""

from typing import Any

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from accounts.lib import months
from accounts.lib.attachments import archive
from accounts.lib.problems import NotFound
from accounts.permissions import PlatformKey
from billing.finance import package
from billing.models import FinancePackage

ZIP = "application/zip"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXAMPLE = {"month": "2026-10", "made_at": "2026-11-02T03:13:00Z", "size": 48213, "sha256": SHA256}
ANSWER = OpenApiExample("package", EXAMPLE, response_only=True, status_codes=["200"])


class FinancePackageSerializer(serializers.ModelSerializer[FinancePackage]):
    """`size` is in bytes, and `sha256` that of the ZIP."""

    month = serializers.CharField(source="__str__", read_only=True)
    sha256 = serializers.SerializerMethodField()

    class Meta:
        model = FinancePackage
        fields = ["month", "made_at", "size", "sha256"]
        read_only_fields = fields

    def get_sha256(self, made: FinancePackage) -> str:
        return bytes(made.sha256).hex()


class FinancePackageViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[FinancePackage]):
    """What bookkeeping needs of each month, of all customers. A task makes it after the month was closed."""

    permission_classes = (PlatformKey,)
    scopes = {"list": "provisioning:read", "retrieve": "provisioning:read", "download": "provisioning:read"}
    serializer_class = FinancePackageSerializer
    queryset = FinancePackage.objects.order_by("-month")
    lookup_field = "month"
    lookup_value_regex = "[0-9]{4}-[0-9]{2}"

    def get_object(self) -> FinancePackage:
        try:
            month = months.parse(self.kwargs["month"])
        except ValueError as error:
            raise NotFound from error
        return get_object_or_404(FinancePackage, month=month)

    @extend_schema(examples=[ANSWER])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """One month's package."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(responses={(200, ZIP): bytes}, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def download(self, request: Request, month: str) -> StreamingHttpResponse:
        """The signed ZIP, as `tollgate-client verify-finance` proves it. Each download is an event of the company's."""
        made = self.get_object()
        return archive(made.size, package.download(made, timezone.now()), f"finance-{made}")
