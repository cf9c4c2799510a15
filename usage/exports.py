"""The usage in an export: each event, and the figures made from them."""

from accounts.exports.contents import beneath
from accounts.exports.sections import Section, leave_out, of_organization
from usage.models import (
    DismissedChecklist,
    EndpointRollup,
    EventVoid,
    ImportedFile,
    ImportedRow,
    ImportedUsage,
    MonthClose,
    MonthlyUsage,
    UsageEvent,
    UsageRollup,
    Volume,
)

of_organization(
    Section("usage_events", UsageEvent.objects.within, order=("account_id", "organization_id", "id", "recorded_at")),
    Section(
        "usage_voids", EventVoid.objects.within, order=("account_id", "organization_id", "event_id", "recorded_at")
    ),
    Section("usage_rollups", UsageRollup.objects.within, order=("account_id", "id")),
    Section("usage_by_endpoint", EndpointRollup.objects.within, order=("account_id", "id")),
    Section(
        "usage_volumes", lambda o: Volume.objects.filter(account_id=o.pk), order=("account_id", "meter_id", "month")
    ),
    Section("imported_usage", ImportedUsage.objects.within, order=("account_id", "id")),
    Section("usage_months", MonthlyUsage.objects.within, order=("account_id", "id")),
    Section("month_closes", MonthClose.objects.of),
    Section(
        "imported_files",
        lambda o: ImportedFile.objects.filter(organization__in=beneath(o)),
        without=frozenset({"digest", "digest_read"}),
    ),
    Section(
        "imported_rows",
        lambda o: ImportedRow.objects.filter(organization__in=beneath(o)),
        without=frozenset({"digest"}),
    ),
)
leave_out({DismissedChecklist: "Which hints a person has put away."})
