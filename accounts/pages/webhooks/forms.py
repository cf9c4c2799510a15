from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts import events
from accounts.lib import form_ids, timezones
from accounts.lib.languages import translated
from accounts.lib.problems import InvalidField
from accounts.models import WebhookEndpoint
from accounts.webhooks import endpoints, redelivery

AUDIT = "audit:read"
TESTED = "webhook_endpoint.tested"  # goes to an endpoint that is tested, whatever it has chosen
HOUR_SECONDS, DAY_SECONDS, WEEK_SECONDS = 3600, 86_400, 604_800


class EndpointForm(forms.Form):
    """The URL and event types of an endpoint. Types that are only for audits are offered to people who may read the
    audit log.
    """

    url = forms.CharField(
        label="URL",
        max_length=2048,
        strip=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("Starts with https:// and leads to a public server, at port 443 or 8443."),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("For the people who find it in a year."),
    )
    everything = forms.BooleanField(
        required=False,
        label=gettext_lazy("All events, also of types that are added later"),
        help_text=gettext_lazy("But for those that are only for audits: choose these by name."),
    )
    types = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Events"))
    includes_subtree = forms.BooleanField(
        required=False, label=gettext_lazy("Events of the organizations beneath this one, too")
    )

    def __init__(self, *args: Any, scopes: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = [
            type
            for type in events.TYPES.values()
            if type.name != TESTED and (AUDIT in scopes or not type.audit_only or type.name in self._chosen())
        ]
        field = self.fields["types"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(type.name, type.name) for type in self.known]

    def _chosen(self) -> list[str]:
        return list(self.initial.get("types", []))

    def groups(self) -> Iterator[tuple[str, list[dict[str, Any]], int]]:
        """The check boxes of each noun, and how many of them are checked."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for type, box in zip(self.known, self["types"], strict=True):
            row = {"box": box, "type": type, "description": translated(type.description).replace("`", "")}
            groups.setdefault(translated(type.noun), []).append(row)
        for noun, boxes in sorted(groups.items(), key=lambda group: group[0].lower()):
            yield noun, boxes, sum(bool(row["box"].data["selected"]) for row in boxes)

    def clean_url(self) -> str:
        """Checked together with the other fields, so that all mistakes show at once."""
        try:
            return endpoints.check_url(self.cleaned_data["url"])
        except InvalidField as problem:
            raise ValidationError([translated(error["detail"]) for error in problem.errors]) from problem

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if "types" in data and not data["types"] and not data.get("everything"):
            self.add_error("types", ValidationError(gettext("Choose at least one, or all events.")))
        return data

    def params(self) -> dict[str, Any]:
        """The arguments of `endpoints.create` and `endpoints.change`."""
        data = self.cleaned_data
        types = [endpoints.EVERYTHING] if data["everything"] else []
        names = ("url", "description", "includes_subtree")
        return {**{name: data[name] for name in names}, "event_types": [*types, *data["types"]]}

    @staticmethod
    def initial_of(endpoint: WebhookEndpoint) -> Mapping[str, Any]:
        return {
            "url": endpoint.url,
            "description": endpoint.description,
            "everything": endpoints.EVERYTHING in endpoint.event_types,
            "types": [name for name in endpoint.event_types if name != endpoints.EVERYTHING],
            "includes_subtree": endpoint.includes_subtree,
        }


class NewEndpointForm(EndpointForm):
    id = forms.CharField(initial=form_ids.new, required=False, widget=forms.HiddenInput)

    def clean_id(self) -> UUID | None:
        try:
            return form_ids.read(self.cleaned_data["id"])
        except ValueError as error:
            self.data = cast(QueryDict, self.data).copy()
            self.data["id"] = form_ids.new()
            self.add_error(None, ValidationError(translated(str(error))))
            return None


class RotateForm(forms.Form):
    """`version` is that of the secret that the person has seen, so that a reload does not rotate again."""

    overlap = forms.TypedChoiceField(
        label=gettext_lazy("The current secret"),
        coerce=int,
        choices=[
            (0, gettext_lazy("stops at once")),
            (HOUR_SECONDS, gettext_lazy("works for another hour")),
            (DAY_SECONDS, gettext_lazy("works for another day")),
            (WEEK_SECONDS, gettext_lazy("works for another week")),
        ],
        initial=DAY_SECONDS,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("Meanwhile everything is signed with both, so that your receiver can change over."),
    )
    version = forms.CharField(widget=forms.HiddenInput)

    def overlap_time(self) -> timedelta:
        return timedelta(seconds=self.cleaned_data["overlap"])


class ReplayForm(forms.Form):
    """A span of time in the person's zone, and which of its deliveries are sent again."""

    since = forms.DateTimeField(
        label=gettext_lazy("From"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("Now, if it is empty."),
    )
    only_failed = forms.TypedChoiceField(
        label=gettext_lazy("What"),
        coerce=lambda value: value == "failed",
        choices=[
            ("failed", gettext_lazy("What failed for good")),
            ("all", gettext_lazy("All, also what was received")),
        ],
        initial="failed",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = timezones.zone(zone)
        if not self.is_bound:
            self.initial["since"] = (timezone.now() - redelivery.WITHIN / 14).astimezone(self.zone)

    def clean_since(self) -> datetime:
        return self._in_zone(self.cleaned_data["since"])

    def clean_until(self) -> datetime | None:
        until = self.cleaned_data["until"]
        return self._in_zone(until) if until else None

    def _in_zone(self, moment: datetime) -> datetime:
        """Django has read what was typed as UTC."""
        return moment.replace(tzinfo=self.zone)
