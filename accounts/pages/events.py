"""The audit log: what happened in an organization and beneath it, with filters, details and an export."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import DetailView, ListView

from accounts import events
from accounts.events import exporting
from accounts.lib import exact_json, identifiers, timezones
from accounts.lib.attachments import attachment
from accounts.models import Event, Organization, User
from accounts.pages.organizations import OrganizationMixin
from accounts.pages.paging import CappedPaginator

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


ACTORS = {
    "person": gettext_lazy("Person"),
    "api_key": gettext_lazy("API key"),
    "platform_key": gettext_lazy("Platform key"),
    "operator": gettext_lazy("Operator"),
    "system": gettext_lazy("System"),
    "unknown": gettext_lazy("Unknown"),
}


class EventsForm(forms.Form):
    """Filters the log. Days are whole days in the person's time zone, both included."""

    type = forms.ChoiceField(required=False, label=gettext_lazy("What"))
    actor = forms.CharField(required=False, max_length=250, label=gettext_lazy("Who: name, email or id"))
    target = forms.CharField(required=False, max_length=60, label=gettext_lazy("To what: an id"))

    def __init__(self, *args: Any, organization: Organization, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization, self.zone = organization, timezones.zone(zone)
        kind = self.fields["type"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [("", gettext("Everything")), *((name, name) for name in sorted(events.TYPES))]
        for name in ("from", "to"):  # `from` can't be an attribute: it is a Python keyword
            self.fields[name] = forms.DateField(
                required=False,
                label=gettext("From") if name == "from" else gettext("To"),
                validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            )

    def condition(self) -> Q:
        """The filter for a query. Fields that are not valid don't filter."""
        cleaned, condition = getattr(self, "cleaned_data", {}), Q()
        if kind := cleaned.get("type"):
            condition &= Q(type=kind)
        if actor := cleaned.get("actor"):
            condition &= self._by(actor)
        if target := cleaned.get("target"):
            condition &= Q(targets__contains=[target])
        if day := cleaned.get("from"):
            condition &= Q(created_at__gte=datetime.combine(day, time(), self.zone))
        if day := cleaned.get("to"):
            condition &= Q(created_at__lt=datetime.combine(day + timedelta(days=1), time(), self.zone))
        return condition

    def _by(self, text: str) -> Q:
        """Who did it: an id, an email address, part of the name of somebody in the tree, or a kind such as “System”.

        Operators are not found by their address: it is not for customers.
        """
        kinds = [kind for kind, label in ACTORS.items() if str(label).casefold() == text.casefold()]
        in_tree = Q(memberships__organization__root_id=self.organization.root_id, name__icontains=text)
        people = [*User.objects.filter(email=text.lower()), *User.objects.filter(in_tree).distinct()]
        ids = [f"user:{person.pk}" for person in people]
        return Q(actor__id=text) | Q(actor__id__in=ids, actor__kind="person") | Q(actor__kind__in=kinds)


class AuditMixin(OrganizationMixin):
    """Pages that only owners and admins may read."""

    scopes = {"get": "audit:read"}
    section = "events"

    def chosen(self) -> QuerySet[Event]:
        """The events of the filter in the URL."""
        self.form = EventsForm(self.request.GET, organization=self.organization, zone=self.person.timezone)
        self.form.is_valid()
        return self.all().filter(self.form.condition())

    def all(self) -> QuerySet[Event]:
        return Event.objects.within(self.organization).select_related("organization", "published", "personal_data")


class EventsView(AuditMixin, ListView[Event]):
    template_name = "accounts/events/events.html"
    paginate_by = 50
    paginator_class = CappedPaginator

    def get_queryset(self) -> QuerySet[Event]:
        return self.chosen().order_by("-id")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        rows = list(context["object_list"])
        names = names_of(rows)
        query = {name: value for name, value in self.request.GET.items() if value and name != "page"}
        return {
            **context,
            "rows": [(row, who(row, names)) for row in rows],
            "form": self.form,
            "is_filtered": bool(self.form.condition()),
            "exports": [(format, urlencode({**query, "format": format})) for format in exporting.FORMATS],
        }


class EventView(AuditMixin, DetailView[Event]):
    template_name = "accounts/events/event.html"

    def get_object(self, queryset: QuerySet[Event] | None = None) -> Event:
        try:
            return self.all().get(pk=identifiers.uuid_of(self.kwargs["event"], "evt_"))
        except (ValueError, Event.DoesNotExist) as error:
            raise Http404 from error

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        event, kept = self.object, personal(self.object)
        return super().get_context_data(
            **context,
            who=who(event, names_of([event])),
            type=events.TYPES.get(event.type),
            personal=kept,
            changes=changes(event.data, kept),
            data=exact_json.dumps(event.data),
        )


class ExportView(AuditMixin):
    """The events of the filter, as a file. It is an event itself."""

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        format = request.GET.get("format", "")
        if format not in exporting.FORMATS:
            raise Http404
        chosen = self.chosen()
        if self.form.errors:  # the page says what is wrong
            return redirect(f"{reverse('events', args=[organization])}?{request.GET.urlencode()}")
        return attachment(exporting.export(self.organization, chosen, format, after=0), "events", format)


def personal(event: Event) -> dict[str, Any]:
    kept = getattr(event, "personal_data", None)
    return dict(kept.members) if kept else {}


def changes(data: Mapping[str, Any], kept: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The changed fields with their values before and after, of which some may be erased."""
    before, after = ({**data.get(side, {}), **kept.get(side, {})} for side in ("before", "after"))
    return [(name, before.get(name), after.get(name)) for name in {**before, **after}]


def names_of(rows: Iterable[Event]) -> dict[str, str]:
    """The people who did it, by the ids that the events have."""
    ids = {row.actor["id"] for row in rows if row.actor and row.actor["kind"] == "person"}
    users = User.objects.in_bulk([int(id.removeprefix("user:")) for id in ids])
    return {f"user:{pk}": user.name or user.email for pk, user in users.items()}


def who(event: Event, names: Mapping[str, str]) -> str:
    """The actor's name, or its kind."""
    actor = event.actor or {"kind": "unknown", "id": None}
    return names.get(actor["id"] or "", "") or str(ACTORS.get(actor["kind"], actor["kind"]))
