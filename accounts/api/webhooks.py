from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.fields import IntegerField, MomentField
from accounts.api.filters import Filters
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, owner_of
from accounts.models import Attempt, Delivery, Redelivery, WebhookEndpoint
from accounts.permissions import HasScopeOrCompany
from accounts.webhooks import endpoints, redelivery

LONGEST_OVERLAP_SECONDS = 604_800
EXAMPLE = {"url": "https://example.com/hooks", "event_types": ["credits.low", "budget.crossed"]}


class WritableEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """`event_types` lists types, or `*` for all, future ones included, except those that only serve audits."""

    url = serializers.CharField(trim_whitespace=False)
    event_types = serializers.ListField(child=serializers.CharField(max_length=60), max_length=100)

    class Meta:
        model = WebhookEndpoint
        fields = ["url", "description", "event_types", "includes_subtree"]


class WebhookEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint without its secret. `failures` counts failed attempts since the last success."""

    id = serializers.CharField(source="public_id", read_only=True)
    event_types = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id",
            "url",
            "description",
            "event_types",
            "includes_subtree",
            "api_version",
            "status",
            "disabled_reason",
            "failures",
            "first_failed_at",
            "next_attempt_at",
            "previous_secret_expires_at",
            "created_at",
        ]
        read_only_fields = fields


class EndpointWithSecretSerializer(WebhookEndpointSerializer):
    """The only response with the secret. A replayed response has null instead."""

    secret = serializers.CharField(allow_null=True)

    class Meta(WebhookEndpointSerializer.Meta):
        fields = [*WebhookEndpointSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class OverlapSerializer(serializers.Serializer[Any]):
    """How long the current secret keeps signing too; 0 ends it immediately."""

    overlap_seconds = IntegerField(min_value=0, max_value=LONGEST_OVERLAP_SECONDS, required=False, default=86_400)


class EnableSerializer(serializers.Serializer[Any]):
    """`send_waiting` says whether waiting deliveries are sent or cancelled."""

    send_waiting = serializers.BooleanField(required=False, default=True)


class RedeliverSerializer(serializers.Serializer[Any]):
    """What was made since then, and before `until`, which is now by default. Without `only_failed` it's all of that."""

    since = MomentField()
    until = MomentField(required=False)
    only_failed = serializers.BooleanField(required=False, default=True)


class RedeliverySerializer(serializers.ModelSerializer[Redelivery]):
    """A job that resends deliveries: `done` of `total` are queued or sent. `finished_at` is null while it runs."""

    id = serializers.CharField(source="public_id", read_only=True)
    endpoint = serializers.CharField(source="endpoint.public_id", read_only=True)

    class Meta:
        model = Redelivery
        fields = ["id", "endpoint", "since", "until", "only_failed", "total", "done", "created_at", "finished_at"]
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """Without a response, `status` is null and `error` says why. `answer` is the start of the response body."""

    class Meta:
        model = Attempt
        fields = ["number", "status", "error", "address", "duration_ms", "answer", "created_at"]
        read_only_fields = fields


class TestAnswerSerializer(serializers.Serializer[Any]):
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    address = serializers.CharField()
    duration_ms = serializers.IntegerField()
    answer = serializers.CharField(source="body")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    id = serializers.CharField(source="public_id", read_only=True)
    endpoint = serializers.CharField(source="endpoint.public_id", read_only=True)
    event = serializers.CharField(source="event.public_id", read_only=True)
    type = serializers.CharField(source="event.type", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "endpoint",
            "event",
            "type",
            "sequence",
            "status",
            "attempt_count",
            "next_attempt_at",
            "created_at",
        ]
        read_only_fields = fields


class DeliveryFilter(Filters):
    status = django_filters.ChoiceFilter(choices=Delivery.Status.choices)


class WebhookEndpointViewSet(
    PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[WebhookEndpoint]
):
    """The webhook endpoints of the current organization, newest first; for a platform key, the company's own."""

    scopes = {
        "list": "webhooks:read",
        "retrieve": "webhooks:read",
        "create": "webhooks:write",
        "partial_update": "webhooks:write",
        "destroy": "webhooks:write",
        "rotate": "webhooks:write",
        "enable": "webhooks:write",
        "disable": "webhooks:write",
        "test": "webhooks:write",
        "deliveries": "webhooks:read",
        "redeliver": "webhooks:write",
        "redeliveries": "webhooks:read",
    }
    permission_classes = [HasScopeOrCompany]
    serializer_class = WebhookEndpointSerializer
    refusals = {"test": (429,)}
    filterset_class: type[Filters] | None = None
    queryset = WebhookEndpoint.objects.none()
    id_prefix = "we_"

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        rows = WebhookEndpoint.objects.owned_by(owner_of(self.request))
        return rows.select_related("organization").order_by("-created_at", "-pk")

    @extend_schema(
        request=WritableEndpointSerializer,
        responses={201: EndpointWithSecretSerializer},
        examples=[OpenApiExample("endpoint", EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> Any:
        """Create an endpoint. Only this response shows its secret."""
        params = self._params(WritableEndpointSerializer(data=request.data))

        def effect() -> Response:
            made = endpoints.create(owner_of(request), params, scopes=credential_of(request).scopes)
            return _with_secret(*made, status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("secret",))

    @extend_schema(request=WritableEndpointSerializer, responses=WebhookEndpointSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change the given members only."""
        endpoint = self.get_object()
        params = self._params(WritableEndpointSerializer(data=request.data, partial=True))
        return self._shown(endpoints.change(endpoint, params, scopes=credential_of(request).scopes))

    def destroy(self, request: Request, id: str) -> Response:
        """Delete the endpoint and its deliveries."""
        endpoints.delete(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=OverlapSerializer, responses=EndpointWithSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, id: str) -> Any:
        """Replace the secret. For `overlap_seconds`, deliveries are signed with both."""
        endpoint = self.get_object()
        params = self._params(OverlapSerializer(data=request.data))
        overlap = timedelta(seconds=params["overlap_seconds"])

        def effect() -> Response:
            return _with_secret(*endpoints.rotate(endpoint, overlap), status.HTTP_200_OK)

        return idempotency.once(request, effect, secrets=("secret",))

    @extend_schema(request=EnableSerializer, responses=WebhookEndpointSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, id: str) -> Any:
        """Resume sending. Does nothing if the endpoint is enabled."""
        endpoint = self.get_object()
        params = self._params(EnableSerializer(data=request.data))
        return idempotency.once(request, lambda: self._shown(endpoints.enable(endpoint, **params)))

    @extend_schema(request=None, responses=WebhookEndpointSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, id: str) -> Any:
        """Stop sending. Events that happen meanwhile are not sent later."""
        endpoint = self.get_object()
        return idempotency.once(request, lambda: self._shown(endpoints.disable(endpoint)))

    @extend_schema(request=None, responses=TestAnswerSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:
        """Send a test event now, without retries, and return the response. 429 while another test is running."""
        return Response(TestAnswerSerializer(endpoints.test(self.get_object())).data)

    @extend_schema(responses=DeliverySerializer(many=True), filters=True)
    @action(detail=True, filterset_class=DeliveryFilter, serializer_class=DeliverySerializer)
    def deliveries(self, request: Request, id: str) -> Response:
        """Its deliveries, sent and waiting, newest first. They are kept for 30 days."""
        rows = self.get_object().deliveries.select_related("endpoint", "event").order_by("-id")
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)

    @extend_schema(request=RedeliverSerializer, responses={202: RedeliverySerializer})
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, id: str) -> Any:
        """Start a job that resends failed or all deliveries of the past 14 days, at most 10,000."""
        endpoint = self.get_object()
        params = self._params(RedeliverSerializer(data=request.data, context={"request": request}))

        def effect() -> Response:
            job = redelivery.begin(endpoint, timezone.now(), **params)
            return Response(RedeliverySerializer(job).data, status=status.HTTP_202_ACCEPTED)

        return idempotency.once(request, effect)

    @extend_schema(responses=RedeliverySerializer(many=True))
    @action(detail=True, serializer_class=RedeliverySerializer)
    def redeliveries(self, request: Request, id: str) -> Response:
        """Its redeliveries with their progress, newest first."""
        rows = self.get_object().redeliveries.select_related("endpoint").order_by("-id")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(RedeliverySerializer(page, many=True).data)

    def _params(self, serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _shown(self, endpoint: WebhookEndpoint) -> Response:
        return Response(WebhookEndpointSerializer(endpoint).data)


def _with_secret(endpoint: WebhookEndpoint, secret: str, code: int) -> Response:
    return Response({**WebhookEndpointSerializer(endpoint).data, "secret": secret}, status=code)


class DeliveryViewSet(PublicIdMixin, mixins.RetrieveModelMixin, GenericViewSet[Delivery]):
    """A delivery of one of the current organization's endpoints, or of the company's own for a platform key."""

    permission_classes = [HasScopeOrCompany]
    scopes = {"retrieve": "webhooks:read", "attempts": "webhooks:read", "redeliver": "webhooks:write"}
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()
    id_prefix = "dlv_"

    def get_queryset(self) -> QuerySet[Delivery]:
        return Delivery.objects.owned_by(owner_of(self.request)).select_related("endpoint", "event")

    @extend_schema(responses=AttemptSerializer(many=True))
    @action(detail=True, serializer_class=AttemptSerializer)
    def attempts(self, request: Request, id: str) -> Response:
        """The attempts with their responses, in order."""
        rows = self.get_object().attempts.order_by("id")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(AttemptSerializer(page, many=True).data)

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, id: str) -> Any:
        """Resend the delivery with the same `webhook-id`."""
        delivery = self.get_object()
        return idempotency.once(request, lambda: Response(DeliverySerializer(redelivery.redeliver(delivery)).data))
