"""What an id, a number, a name or an address means: `/v1/search`."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.filters import text_parameter
from accounts.credentials import credential_of, organization_of
from accounts.lib.problems import InvalidField
from usage.reporting import search


class HitSerializer(serializers.Serializer[Any]):
    """`url` is the page of the dashboard that shows it."""

    type = serializers.CharField()
    id = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()


class SearchSerializer(serializers.Serializer[Any]):
    results = HitSerializer(many=True)


class SearchView(APIView):
    scopes = {"get": "account:read"}

    @extend_schema(
        responses=SearchSerializer,
        parameters=[OpenApiParameter("q", str, required=True, description="An id, a number, a name or an address")],
    )
    def get(self, request: Request) -> Response:
        """What `q` names in this organization, of that which the caller may read: at most five of each type."""
        text = text_parameter(request, "q")
        if not text or len(text) > search.LONGEST:
            raise InvalidField("q", f"Required, at most {search.LONGEST} characters.")
        hits = search.find(organization_of(request), credential_of(request).scopes, text)
        results = [
            {"type": hit.type, "id": hit.id, "title": hit.title, "url": f"{settings.BASE_URL}{hit.page}"}
            for hit in hits
        ]
        return Response({"results": results})
