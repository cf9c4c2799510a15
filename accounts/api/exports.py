from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency, tokens
from accounts.access import LiveKeyRequired
from accounts.api.filters import Filters
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.exports import jobs
from accounts.lib.attachments import archive
from accounts.models import Export
from accounts.permissions import Authenticated

EXAMPLE = {
    "id": "exp_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f",
    "status": "running",
    "progress": 42,
    "size": 1048576,
    "requested_by": "user:7",
    "created_at": "2026-01-15T08:30:00Z",
    "finished_at": None,
    "expires_at": None,
}
ZIP = "application/zip"


class ExportSerializer(serializers.ModelSerializer[Export]):
    """`progress` is in per cent, and `size` is in bytes. The file can be downloaded until `expires_at`."""

    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.SerializerMethodField()
    progress = serializers.IntegerField(read_only=True)

    class Meta:
        model = Export
        fields = ["id", "status", "progress", "size", "requested_by", "created_at", "finished_at", "expires_at"]
        read_only_fields = fields

    def get_status(self, export: Export) -> str:
        return "ready" if export.finished_at else "running"


class ExportsMixin(PublicIdMixin):
    """What the exports of an organization and those of a person have in common."""

    filterset_class = Filters
    refusals = {"create": (409, 429), "download": (409,)}
    id_prefix = "exp_"

    def begin(self, request: Request) -> Export:
        raise NotImplementedError

    @extend_schema(
        request=None,
        responses={202: ExportSerializer},
        examples=[OpenApiExample("export", EXAMPLE, response_only=True, status_codes=["202"])],
    )
    def create(self, request: Request) -> Any:
        """Begin an export of all data, as JSON Lines and CSV in a ZIP. One at a time, and at most three a day."""

        def effect() -> Response:
            return Response(ExportSerializer(self.begin(request)).data, status=status.HTTP_202_ACCEPTED)

        return idempotency.once(request, effect)

    @extend_schema(responses={(200, ZIP): bytes}, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def download(self, request: Request, id: str) -> StreamingHttpResponse:
        """The ZIP, for seven days. Each download is an event."""
        export = self.get_object()
        return archive(*jobs.download(export, timezone.now()), export.public_id)


class ExportViewSet(ExportsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Export]):
    """Exports of all that the current organization has, with all beneath it. It takes every scope that reads."""

    serializer_class = ExportSerializer
    queryset = Export.objects.none()

    scopes = {"list": "audit:read", "retrieve": "audit:read", "create": "audit:read", "download": "audit:read"}

    def get_queryset(self) -> QuerySet[Export]:
        return Export.objects.of(organization_of(self.request)).order_by("-created_at", "-pk")

    def begin(self, request: Request) -> Export:
        credential = credential_of(request)
        jobs.check_may_export(credential)
        if credential.is_test:
            raise LiveKeyRequired
        return jobs.of_organization(organization_of(request), by=credential.id, now=timezone.now())

    def get_object(self) -> Any:
        jobs.check_may_export(credential_of(self.request))
        return super().get_object()


class OwnExportViewSet(ExportsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Export]):
    """Exports of what is known of the person who is signed in."""

    permission_classes = (Authenticated,)
    serializer_class = ExportSerializer
    queryset = Export.objects.none()

    def get_queryset(self) -> QuerySet[Export]:
        person = tokens.person(credential_of(self.request))
        return Export.objects.of_person(person).order_by("-created_at", "-pk")

    def begin(self, request: Request) -> Export:
        return jobs.of_person(tokens.person(credential_of(request)), now=timezone.now())
