from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.admin import ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from billing import clock
from usage.models import ImportedFile, LedgerProof, MonthClose, MonthlyUsage, UsageRollup
from usage.storage import closing

OWNER = owner_fields("organization")


@admin.register(UsageRollup)
class UsageRollupAdmin(ReadOnlyAdmin[UsageRollup]):
    """Usage by quarter of an hour, meter and key."""

    list_display = [
        "organization",
        "bucket",
        "meter",
        "key",
        "environment",
        "requests",
        "failed",
        "quantity",
        "credits",
    ]
    list_filter = ["meter", "environment", "bucket"]
    list_select_related = ["organization", "meter", "key"]
    search_fields = [*exactly("key__public_id"), *OWNER, "key__name"]
    ordering = ["-bucket", "-pk"]


@admin.register(ImportedFile)
class ImportedFileAdmin(ReadOnlyAdmin[ImportedFile]):
    list_display = ["name", "organization", "meter", "events", "skipped", "started_at", "finished_at"]
    list_select_related = ["organization", "meter"]
    search_fields = ["name", *OWNER]
    ordering = ["-started_at"]


@admin.register(MonthClose)
class MonthCloseAdmin(ReadOnlyAdmin[MonthClose]):
    """The closes of months. One that stays `started` has failed; a task runs it again every quarter of an hour."""

    list_display = [
        *("organization", "month", "status", "opening", "closing", "owed", "paper", "started_at", "done_at"),
    ]
    list_filter = ["status", "month"]
    list_select_related = ["account__organization", "paper"]
    search_fields = owner_fields("account__organization")
    ordering = ["-month", "-pk"]
    actions = ["run_again"]

    @admin.display(ordering="account")
    def organization(self, close: MonthClose) -> str:
        return str(close.account.organization)

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_monthclose")

    @admin.action(description="Run the selected closes again", permissions=["run"])
    def run_again(self, request: HttpRequest, chosen: QuerySet[MonthClose]) -> None:
        """Closes that are done don't change."""
        for close in chosen.order_by("month"):
            which = {"month": close, "customer": self.organization(close)}
            if close.is_done:
                self.message_user(request, _("%(month)s of %(customer)s is closed, and stays as it is.") % which)
                continue
            closing.finish({close.account_id: close.month}, clock.now_of(close.account_id))
            self.log_change(request, close, "Run again")
            self.message_user(request, _("%(month)s of %(customer)s is closed now.") % which)


@admin.register(MonthlyUsage)
class MonthlyUsageAdmin(ReadOnlyAdmin[MonthlyUsage]):
    """The frozen usage of closed months."""

    list_display = ["organization", "month", "meter", "occurred_in", "requests", "failed", "quantity", "credits"]
    list_filter = ["meter", "month"]
    list_select_related = ["organization", "meter"]
    search_fields = OWNER
    ordering = ["-month", "-pk"]


@admin.register(LedgerProof)
class LedgerProofAdmin(ReadOnlyAdmin[LedgerProof]):
    """The runs of `check_ledger`: when it was proved that the books agree, and what was wrong if they did not."""

    list_display = ["finished_at", "accounts", "differences", "started_at"]
    list_filter = ["finished_at"]
    ordering = ["-id"]
