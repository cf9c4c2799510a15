"""The form of the usage page. Its whole state is in the URL."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from accounts.lib import months, texts, timezones
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.reporting import calendar, periods
from usage.reporting.timeseries import GROUPS, Query

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
MOST_WINDOWS = 400
MOST_KEYS_LISTED = 50
RANGES = {
    "today": gettext_lazy("Today"),
    "7d": gettext_lazy("Last 7 days"),
    "30d": gettext_lazy("Last 30 days"),
    "month": gettext_lazy("This month"),
    "last-month": gettext_lazy("Last month"),
    "year": gettext_lazy("This year"),
    "custom": gettext_lazy("Custom"),
}
DAYS = {"7d": 7, "30d": 30}
MEASURES = {"credits": gettext_lazy("Credits"), "requests": gettext_lazy("Requests"), "units": gettext_lazy("Units")}
GROUPINGS = {
    "meter": gettext_lazy("Meter"),
    "endpoint": gettext_lazy("Endpoint"),
    "key": gettext_lazy("API key"),
    "organization": gettext_lazy("Organization"),
}
WINDOWS = {
    "": gettext_lazy("Automatic"),
    "hour": gettext_lazy("Hour"),
    "day": gettext_lazy("Day"),
    "month": gettext_lazy("Month"),
}
# The largest span that each window is chosen for automatically.
AUTOMATIC = (("hour", timedelta(days=2)), ("day", timedelta(days=MOST_WINDOWS - 2)))


class KeyField(forms.ModelChoiceField[ApiKey]):
    """A list of keys to choose from; if there are too many for one, a text field for the id or the name of a key."""

    def offer(self, keys: QuerySet[ApiKey]) -> None:
        self.queryset = self.keys = keys
        self.is_listed = len(keys[: MOST_KEYS_LISTED + 1]) <= MOST_KEYS_LISTED
        if not self.is_listed:
            self.widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
            self.label = gettext("API key, by id or name")

    def to_python(self, value: Any) -> ApiKey | None:
        if self.is_listed or not value:
            chosen: ApiKey | None = super().to_python(value)
            return chosen
        value = texts.typed(value)
        named = list(self.keys.filter(Q(public_id=value) | Q(name=value))[:2])
        if len(named) > 1:
            raise forms.ValidationError(gettext("Several keys have this name. Enter the id of one."))
        if not named:
            raise forms.ValidationError(gettext("There is no key with this id or name."))
        return named[0]


@dataclass(frozen=True)
class Period:
    """[start, end), and the one that it is compared with: as long, or the month or year before."""

    start: datetime
    end: datetime
    before: tuple[datetime, datetime]


class ExplorerForm(forms.Form):
    range = forms.ChoiceField(choices=RANGES.items(), required=False, label=gettext_lazy("Time"))
    measure = forms.ChoiceField(choices=MEASURES.items(), required=False, label=gettext_lazy("Measure"))
    by = forms.ChoiceField(choices=GROUPINGS.items(), required=False, label=gettext_lazy("Grouped by"))
    window = forms.ChoiceField(choices=WINDOWS.items(), required=False, label=gettext_lazy("A bar is a"))
    meter = forms.ModelChoiceField(
        Meter.objects.none(),
        label=gettext_lazy("Meter"),
        to_field_name="slug",
        required=False,
        empty_label=gettext_lazy("All meters"),
    )
    key = KeyField(
        ApiKey.objects.none(),
        to_field_name="public_id",
        required=False,
        empty_label=gettext_lazy("All keys"),
        label=gettext_lazy("API key"),
    )
    environment = forms.ChoiceField(
        label=gettext_lazy("Environment"),
        choices=[("live", gettext_lazy("Live")), ("test", gettext_lazy("Test"))],
        required=False,
    )
    compare = forms.BooleanField(required=False, label=gettext_lazy("Compare with the period before"))
    field_order = ("range", "from", "to", "measure", "by", "window", "meter", "key", "environment", "compare")

    def __init__(self, data: QueryDict, *, organization: Organization, zone: str, now: datetime) -> None:
        days = {"range": "custom"} if data.get("from") or data.get("to") else {}
        super().__init__({"range": "30d", **data.dict(), **days})
        self.organization, self.zone, self.now = organization, zone, now
        for name in ("from", "to"):  # `from` can't be an attribute: it is a Python keyword
            self.fields[name] = forms.DateField(
                required=False,
                validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
                label=gettext("From") if name == "from" else gettext("To"),
            )
        self.order_fields(self.field_order)
        meter, key = self.fields["meter"], self.fields["key"]
        assert isinstance(meter, forms.ModelChoiceField)
        assert isinstance(key, KeyField)
        meter.queryset = Meter.objects.order_by("slug")
        key.offer(ApiKey.objects.within(organization).order_by("name", "pk"))

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if cleaned.get("from") and cleaned.get("to") and cleaned["from"] > cleaned["to"]:
            self.add_error("to", gettext("The last day is before the first."))
        if cleaned.get("measure") == "units" and "meter" not in self.errors and not cleaned.get("meter"):
            self.add_error("meter", gettext("Choose one: the units of different meters can't be added up."))
        if not self.errors and self._windows() > MOST_WINDOWS:
            self.add_error(
                "window",
                gettext("There would be more than %(count)s bars. Take a larger window, or less time.")
                % {"count": MOST_WINDOWS},
            )
        return cleaned

    def value(self, name: str, default: str) -> str:
        return str(getattr(self, "cleaned_data", {}).get(name) or default)

    @property
    def measure_name(self) -> str:
        measure = self.value("measure", "credits")
        return measure if measure != "units" or self.cleaned_data.get("meter") else "credits"

    @property
    def period(self) -> Period:
        name = self.value("range", "30d")
        if name == "custom" and self._has_days:
            return self._custom()
        today = periods.start_of("daily", self.now, self.zone)
        if name in ("month", "last-month", "year"):
            return self._calendar(name)
        start = today if name == "today" else self._midnight(self._day(today) - timedelta(days=DAYS.get(name, 30) - 1))
        return Period(start, self.now, (start - (self.now - start), start))

    @property
    def query(self) -> Query:
        cleaned = getattr(self, "cleaned_data", {})
        period = self.period
        window = self.value("window", "")
        if "window" in self.errors or not window:
            window = next((name for name, most in AUTOMATIC if period.end - period.start <= most), "month")
        return Query(
            organization=self.organization,
            start=period.start,
            end=period.end,
            window=window,
            timezone=self.zone,
            group_by=(self.value("by", "meter") if self.value("by", "meter") in GROUPS else "meter",),
            environment=self.value("environment", "live"),
            meter=cleaned.get("meter"),
            key=cleaned.get("key"),
        )

    @property
    def _has_days(self) -> bool:
        cleaned = getattr(self, "cleaned_data", {})
        return bool(cleaned.get("from") or cleaned.get("to"))

    def _custom(self) -> Period:
        """Whole days, both included. Without a last day until now, without a first one the 30 days up to the last."""
        last, first = self.cleaned_data.get("to"), self.cleaned_data.get("from")
        end = self._midnight(last + timedelta(days=1)) if last else self.now
        start = self._midnight(first or self._day(end) - timedelta(days=30))
        start = min(start, end)
        return Period(start, end, (start - (end - start), start))

    def _calendar(self, name: str) -> Period:
        """A month or year so far is compared with as much of the one before; a whole one with a whole one."""
        unit, count = ("yearly", 12) if name == "year" else ("monthly", 1)
        start = periods.start_of(unit, self.now, self.zone)
        end = self.now
        if name == "last-month":
            start, end = self._shifted(start, -1), start
        earlier = self._shifted(start, -count)
        return Period(start, end, (earlier, start if name == "last-month" else min(earlier + (end - start), start)))

    def _windows(self) -> int:
        query = self.query
        try:
            return len(calendar.bounds(query.start, query.end, query.window, query.timezone)) - 1
        except calendar.TooManyWindows:
            return calendar.MOST

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(timezones.zone(self.zone)).date()

    def _midnight(self, day: date) -> datetime:
        return months.midnight(day, self.zone).astimezone(UTC)

    def _shifted(self, moment: datetime, count: int) -> datetime:
        return self._midnight(months.shift(self._day(moment), count))
