from datetime import date, datetime, time, timedelta
from typing import Any, overload

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import ListView

from accounts.lib import timezones
from accounts.lib.attachments import attachment
from accounts.pages.organizations import OrganizationMixin
from accounts.pages.paging import CappedPaginator
from billing import clock
from billing.ledger import exporting, posting
from billing.models import LedgerEntry
from billing.templatetags.money import places

LONGEST_NUMBER = 18  # digits that a bigint always has room for
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


TYPES = [
    ("", gettext_lazy("All types")),
    ("credit", gettext_lazy("Credits")),
    ("debit", gettext_lazy("Debits")),
    ("adjustment", gettext_lazy("Adjustments")),
]
KINDS = [("", gettext_lazy("All kinds")), *((kind, gettext_lazy(label)) for kind, label in LedgerEntry.Kind.choices)]


class LedgerForm(forms.Form):
    """Filters the ledger. Days are whole days in the person's time zone, both included."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), required=False, choices=TYPES)
    q = forms.CharField(required=False, max_length=200, label=gettext_lazy("Number, reference or text"))
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False, choices=KINDS)

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = timezones.zone(zone)
        for name in ("from", "to"):  # `from` can't be an attribute: it is a Python keyword.
            self.fields[name] = forms.DateField(
                required=False,
                label=gettext("From") if name == "from" else gettext("To"),
                validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("from") and cleaned.get("to") and cleaned["from"] > cleaned["to"]:
            self.add_error("to", ValidationError(gettext("The last day is before the first.")))
        return cleaned

    def condition(self) -> Q:
        """The filter for a query. Fields that are not valid don't filter."""
        cleaned, condition = getattr(self, "cleaned_data", {}), Q()
        if type_ := cleaned.get("type"):
            condition &= Q(kind__in=LedgerEntry.TYPES[type_])
        if kind := cleaned.get("kind"):
            condition &= Q(kind=kind)
        if search := cleaned.get("q"):
            number = Q(seq=int(search)) if search.isdecimal() and len(search) <= LONGEST_NUMBER else Q()
            condition &= number | Q(reference=search) | Q(description__icontains=search)
        start, end = self.span(None, None)
        if start:
            condition &= Q(created_at__gte=start)
        if end:
            condition &= Q(created_at__lt=end)
        return condition

    @overload
    def span(self, start: datetime, end: datetime) -> tuple[datetime, datetime]: ...

    @overload
    def span(self, start: None, end: None) -> tuple[datetime | None, datetime | None]: ...

    def span(self, start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
        """[start, end) of the days that are given, or the defaults."""
        cleaned = getattr(self, "cleaned_data", {})
        first, last = cleaned.get("from"), cleaned.get("to")
        return (
            datetime.combine(first, time(), self.zone) if first else start,
            datetime.combine(last + timedelta(days=1), time(), self.zone) if last else end,
        )


class LedgerView(OrganizationMixin, ListView[LedgerEntry]):
    """The ledger, newest first, with the balance that each entry left."""

    scopes = {"get": "credits:read"}
    section = "ledger"
    paginate_by = 25
    paginator_class = CappedPaginator

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv" and self.organization.is_root:
            return attachment(
                exporting.table(self.organization, self.get_queryset()[: exporting.MOST]), "ledger", "csv"
            )
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return ["billing/ledger.html" if self.organization.is_root else "billing/billed_by_root.html"]

    def get_queryset(self) -> QuerySet[LedgerEntry]:
        self.form = LedgerForm(self.request.GET, zone=self.person.timezone)
        self.form.is_valid()
        posting.current(
            self.organization.pk, clock.now(self.organization)
        )  # Posts the entries of what has expired since.
        return LedgerEntry.objects.of(self.organization).filter(self.form.condition()).order_by("-seq")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        entries = list(context["object_list"])
        amounts = [number for entry in entries for number in (entry.amount, entry.balance_after)]
        return {
            **context,
            "entries": entries,
            "places": places(amounts),
            "form": self.form,
            "is_filtered": bool(self.form.condition()),
            "title": gettext("Ledger"),
        }
