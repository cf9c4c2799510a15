from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin import ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from billing.admin import change_requests
from billing.models import Grant, Hold, LedgerEntry


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Append-only, here and in the database. A mistake is corrected by a reversal."""

    list_display = ["organization", "seq", "kind", "amount", "balance_after", "description", "reference", "created_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["account__organization"]
    search_fields = [*exactly("reference"), *owner_fields("account__organization")]
    ordering = ["-created_at", "-seq"]
    actions = ["reverse"]

    def has_reverse_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "reverse")

    @admin.action(description="Reverse the selected entry …", permissions=["reverse"])
    def reverse(self, request: HttpRequest, chosen: QuerySet[LedgerEntry]) -> HttpResponse | None:
        entries = [f"{entry.account.organization.public_id}.{entry.seq}" for entry in chosen]
        return change_requests.lead(self, request, "reverse", entries)

    @admin.display(ordering="account")
    def organization(self, entry: LedgerEntry) -> str:
        return str(entry.account.organization)


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin[Grant]):
    """`remaining` may be behind: usage is allotted to the lots later."""

    id_prefix = "grant_"
    list_display = [
        *("public_id", "organization", "category", "priority", "amount", "remaining", "expires_at"),
        *("entry_seq", "created_at"),
    ]
    list_filter = ["category"]
    list_select_related = ["account__organization"]
    search_fields = owner_fields("account__organization")
    ordering = ["-created_at"]

    @admin.display(ordering="account")
    def organization(self, grant: Grant) -> str:
        return str(grant.account.organization)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    id_prefix = "hold_"
    list_display = ["public_id", "organization", "purpose", "amount", "captured", "status", "created_at", "expires_at"]
    list_filter = ["status", "purpose"]
    list_select_related = ["organization"]
    search_fields = [*exactly("reference"), *owner_fields("organization")]
    ordering = ["-created_at"]
