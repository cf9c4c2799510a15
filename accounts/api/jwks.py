from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import signing


class JwkSerializer(serializers.Serializer[Any]):
    kty = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()
    kid = serializers.CharField()
    n = serializers.CharField()
    e = serializers.CharField()


class JwksSerializer(serializers.Serializer[Any]):
    keys = JwkSerializer(many=True)


class JwksView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=JwksSerializer)
    def get(self, request: Request) -> Response:
        """The public keys that verify Tollgate's access tokens."""
        return Response(signing.jwks(), headers={"Cache-Control": "public, max-age=300"})


class SealKeysView(JwksView):
    @extend_schema(responses=JwksSerializer)
    def get(self, request: Request) -> Response:
        """The public keys that verify the seals of exports and of the log's heads, also those that were replaced."""
        return Response(signing.seal_keys(), headers={"Cache-Control": "public, max-age=300"})
