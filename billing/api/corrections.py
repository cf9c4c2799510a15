"""Corrections of the ledger, for the company's back office."""

from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.credentials import credential_of
from accounts.lib.problems import NotFound
from accounts.permissions import PlatformKey
from billing.api.account import LedgerEntrySerializer
from billing.api.fields import check_future
from billing.api.payers import payer
from billing.api.serializers import AdjustSerializer, ReverseSerializer
from billing.ledger import corrections
from billing.models import LedgerEntry


class CorrectionSerializer(LedgerEntrySerializer):
    """The entry that was posted; `reverses` is the one that it takes back."""

    reverses = serializers.IntegerField(source="reverses_seq", read_only=True, allow_null=True)

    class Meta(LedgerEntrySerializer.Meta):
        fields = [*LedgerEntrySerializer.Meta.fields, "reverses"]
        read_only_fields = fields


class ReverseView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}

    @extend_schema(request=ReverseSerializer, responses={201: CorrectionSerializer})
    def post(self, request: Request, id: str) -> Any:
        """Take an entry back by its opposite, once. Usage is corrected by voiding events: 409 `corrected_by_void`."""
        asked = _asked(ReverseSerializer, request)
        organization = payer(request, asked.pop("organization"))
        entry = LedgerEntry.objects.of(organization).filter(seq=int(id)).first()
        if entry is None:
            raise NotFound
        actor = credential_of(request).id
        return _once(request, asked, lambda: corrections.reverse(entry, actor=actor, **asked))


class AdjustmentsView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "credits:write"}
    refusals = {"post": (404,)}

    @extend_schema(request=AdjustSerializer, responses={201: CorrectionSerializer})
    def post(self, request: Request) -> Any:
        """Give credits, or take some, with a reason. It is never refused, and may lead into debt."""
        asked = _asked(AdjustSerializer, request)
        account = payer(request, asked.pop("organization")).pk
        actor = credential_of(request).id
        return _once(request, asked, lambda: corrections.adjust(account, actor=actor, **asked))


def _asked(form: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = form(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _once(request: Request, asked: Mapping[str, Any], verb: Callable[[], LedgerEntry]) -> Any:
    """The entry that `verb` posts."""

    def effect() -> Response:
        check_future("expires_at", asked["expires_at"])
        shown = CorrectionSerializer(verb(), context={"request": request}).data
        return Response(shown, status=status.HTTP_201_CREATED)

    return idempotency.once(request, effect)
