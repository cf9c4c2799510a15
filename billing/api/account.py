"""Credits and ledger in the shape of the Account API: `/auth/account/credits` and `/auth/account/ledger`."""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.api.filters import CreatedFilter
from accounts.credentials import credential_of, organization_of
from accounts.lib.problems import InvalidField
from accounts.models import Organization, User
from billing import accounts, clock
from billing.api.fields import AmountSerializerField, user_id
from billing.ledger import posting
from billing.models import AutoRecharge, LedgerAccount, LedgerEntry


class CreditBalanceSerializer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField(allow_null=True)
    balance = AmountSerializerField()
    reserved = AmountSerializerField()
    available = AmountSerializerField()
    currency = serializers.CharField()
    last_updated = serializers.DateTimeField()
    auto_reload_enabled = serializers.BooleanField()
    auto_reload_threshold = AmountSerializerField(allow_null=True)
    auto_reload_amount = AmountSerializerField(allow_null=True)


def credit_balance(organization: Organization, user: User | None, ledger: LedgerAccount | None) -> dict[str, Any]:
    """The CreditBalance object of `mine`, in which what fell due is settled.

    Zeros until the first movement, and no currency until it is set.
    """
    account = accounts.find(organization)
    ledger = ledger or LedgerAccount(updated_at=organization.created_at)
    recharge = AutoRecharge.objects.of(organization).first() or AutoRecharge()
    return {
        "user_id": user_id(user),
        "balance": ledger.balance,
        "reserved": ledger.reserved,
        "available": ledger.available,
        "currency": account.currency if account else "",
        "last_updated": ledger.updated_at,
        "auto_reload_enabled": recharge.enabled,
        "auto_reload_threshold": recharge.threshold,
        "auto_reload_amount": recharge.amount,
    }


class CreditsView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=CreditBalanceSerializer)
    def get(self, request: Request) -> Response:
        """Balance, reserved and available credits."""
        organization, user = organization_of(request), credential_of(request).user
        balance = credit_balance(organization, user, posting.current(organization.pk, clock.now(organization)))
        return Response(CreditBalanceSerializer(balance).data)


class LedgerEntrySerializer(serializers.ModelSerializer[LedgerEntry]):
    """A ledger entry. `id` numbers the account's entries from 1, without gaps."""

    id = serializers.IntegerField(source="seq", read_only=True)
    user_id = serializers.SerializerMethodField()
    type = serializers.ChoiceField(choices=list(LedgerEntry.TYPES), read_only=True)
    amount = AmountSerializerField(read_only=True)
    balance_after = AmountSerializerField(read_only=True)
    metadata = serializers.DictField(read_only=True)

    class Meta:
        model = LedgerEntry
        fields = [
            "id",
            "user_id",
            "type",
            "amount",
            "balance_after",
            "description",
            "reference",
            "metadata",
            "created_at",
        ]
        read_only_fields = fields

    def get_user_id(self, entry: LedgerEntry) -> int | None:
        return user_id(credential_of(self.context["request"]).user)


class LedgerFilter(CreatedFilter):
    type = django_filters.ChoiceFilter(choices=[(type_, type_) for type_ in LedgerEntry.TYPES], method="of_type")

    class Meta:
        model = LedgerEntry
        fields: list[str] = []

    def of_type(self, entries: QuerySet[LedgerEntry], name: str, value: str) -> QuerySet[LedgerEntry]:
        return entries.filter(kind__in=LedgerEntry.TYPES[value])


class WholeLedger(Sequence[LedgerEntry]):
    """All entries of an account, newest first. `seq` has no gaps, so that the last one is their number, and the place
    of an entry is arithmetic: no page, however deep, counts or skips.

    The number is read once; entries that are posted later are on no page of it.
    """

    def __init__(self, organization: Organization) -> None:
        self.entries = LedgerEntry.objects.of(organization).order_by("-seq")
        self.last = self.entries.values_list("seq", flat=True).first() or 0

    def __len__(self) -> int:
        return self.last

    def __getitem__(self, page: Any) -> Any:
        """The entries of a slice."""
        start, stop, _ = page.indices(self.last)
        return self.entries.filter(seq__lte=self.last - start, seq__gt=self.last - stop)


class LedgerViewSet(mixins.ListModelMixin, GenericViewSet[LedgerEntry]):
    """The ledger of the current organization, newest first."""

    scopes = {"list": "credits:read"}
    serializer_class = LedgerEntrySerializer
    filterset_class = LedgerFilter
    queryset = LedgerEntry.objects.none()

    def get_queryset(self) -> QuerySet[LedgerEntry]:
        organization = organization_of(self.request)
        accounts.find(organization)  # Refuses a child, which has no ledger of its own.
        posting.current(organization.pk, clock.now(organization))  # Posts the entries of what has expired since.
        return LedgerEntry.objects.of(organization).order_by("-seq")

    def following(self, entries: QuerySet[LedgerEntry], id: str) -> QuerySet[LedgerEntry]:
        """Entries after the one with this id. Their ids come one by one under the account's lock."""
        if not (id.isascii() and id.isdigit() and len(id) <= 18):
            raise InvalidField("after", "Must be the id of an entry, or 0.")
        return entries.filter(seq__gt=int(id)).order_by("seq")

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """The whole ledger needs no COUNT query; a filtered one does."""
        if "after" in self.request.query_params:
            return super().paginate_queryset(queryset)
        filtered = any(self.request.query_params.get(name) for name in LedgerFilter.get_filters())
        return super().paginate_queryset(queryset if filtered else WholeLedger(organization_of(self.request)))
