from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts import scopes
from accounts.lib import addresses, form_ids, timezones
from accounts.lib.languages import translated
from accounts.lib.money import LARGEST, ZERO, NumberFormField
from accounts.lib.problems import Problem
from accounts.pages.forms import refuse
from apikeys import key_permissions
from apikeys.models import ApiKey
from apikeys.rate_limits import LARGEST_RATE, LONGEST_WINDOW_SECONDS

LARGEST_LIST = 100
LAST_DAY = date(2999, 12, 31)
RATE_LIMIT = ("rate_limit", "rate_limit_window_seconds")
KEY_FIELDS = (
    "name",
    "permissions",
    "expires_at",
    "allowed_cidrs",
    *RATE_LIMIT,
    "monthly_budget",
    "description",
)


class KeyForm(forms.Form):
    """What a key may do. Its permissions are scopes that the person holds, and names of the company's own API."""

    name = forms.CharField(max_length=100, help_text=gettext_lazy("What will use it, such as “Production server”."))
    permissions = forms.CharField(
        required=False,
        max_length=10_000,
        label=gettext_lazy("Product permissions"),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "messaging:send"}),
        help_text=gettext_lazy("One per line, of the form resource:action. Your calls are checked against them."),
    )
    scopes = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Access to Tollgate's own API"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Only what you hold yourself. If you lose it, the key loses it too."),
    )
    expires_at = forms.DateField(
        required=False,
        label=gettext_lazy("Expires after"),
        validators=[MaxValueValidator(LAST_DAY)],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("The last day on which it works. Leave it empty for a key that does not expire."),
    )
    allowed_cidrs = forms.CharField(
        required=False,
        max_length=10_000,
        label=gettext_lazy("Networks"),
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "203.0.113.0/24"}),
        help_text=gettext_lazy("The key works from these addresses only, one per line. Leave it empty for anywhere."),
    )
    rate_limit = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST_RATE,
        label=gettext_lazy("Rate limit"),
        help_text=gettext_lazy("Calls in each window."),
    )
    rate_limit_window_seconds = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LONGEST_WINDOW_SECONDS,
        label=gettext_lazy("Window"),
        help_text=gettext_lazy("In seconds."),
    )
    monthly_budget = NumberFormField(
        required=False,
        min_value=ZERO,
        max_value=LARGEST,
        label=gettext_lazy("Monthly budget"),
        help_text=gettext_lazy("Credits that it may spend in a calendar month."),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("For the people who find it in a year."),
    )

    def __init__(
        self, *args: Any, holder: Iterable[str], zone: str, longest: timedelta | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.holder, self.zone = frozenset(holder), timezones.zone(zone)
        if longest:
            self.fields["expires_at"].help_text = gettext("Keys of this organization live at most %(days)s days.") % {
                "days": longest.days
            }
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, scope) for scope in sorted(scopes.ALL & self.holder)]

    def scope_boxes(self) -> Iterator[tuple[str, list[Any]]]:
        """The check boxes of each resource."""
        groups: dict[str, list[Any]] = {}
        for box in self["scopes"]:
            resource, _, action = str(box.data["value"]).partition(":")
            groups.setdefault(resource, []).append({"box": box, "action": action})
        yield from groups.items()

    def clean_expires_at(self) -> datetime | None:
        day = self.cleaned_data["expires_at"]
        if day is None:
            return None
        end = datetime.combine(day + timedelta(days=1), time(), self.zone)
        if end <= timezone.now():
            raise ValidationError(gettext("That day is over."))
        return end

    def clean_allowed_cidrs(self) -> list[str]:
        networks = self.cleaned_data["allowed_cidrs"].replace(",", " ").split()
        if len(networks) > LARGEST_LIST:
            raise ValidationError(gettext("At most %(count)s networks.") % {"count": LARGEST_LIST})
        if wrong := [text for text in networks if not addresses.is_network(text)]:
            sentence = gettext("“%(text)s” is not an IPv4 or IPv6 network, such as 203.0.113.0/24.")
            raise ValidationError([sentence % {"text": text[:50]} for text in wrong])
        return list(dict.fromkeys(addresses.network(text) for text in networks))

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        wanted = [*data.get("permissions", "").replace(",", " ").split(), *data.get("scopes", [])]
        if len(wanted) > LARGEST_LIST:
            self.add_error(
                "permissions", ValidationError(gettext("At most %(count)s permissions.") % {"count": LARGEST_LIST})
            )
        try:
            key_permissions.check(wanted, self.holder)
        except Problem as problem:
            refuse(self, problem)
        missing = [name for name in RATE_LIMIT if data.get(name) is None]
        if len(missing) == 1 and missing[0] not in self.errors:
            self.add_error(missing[0], ValidationError(gettext("A limit needs a number of calls and a window.")))
        return {**data, "permissions": wanted}

    def key_fields(self) -> dict[str, Any]:
        """The fields of the key, by the model's names."""
        return {name: self.cleaned_data[name] for name in KEY_FIELDS}


class CreateKeyForm(KeyForm):
    environment = forms.ChoiceField(
        label=gettext_lazy("Environment"),
        choices=[("live", gettext_lazy("Live")), ("test", gettext_lazy("Test"))],
        initial="live",
        widget=forms.RadioSelect,
        help_text=gettext_lazy("A test key is verified and metered like a live one, at no cost."),
    )
    id = forms.CharField(initial=form_ids.new, required=False, widget=forms.HiddenInput)

    def clean_id(self) -> UUID | None:
        try:
            return form_ids.read(self.cleaned_data["id"])
        except ValueError as error:
            self.data = cast(QueryDict, self.data).copy()
            self.data["id"] = form_ids.new()
            self.add_error(None, ValidationError(translated(str(error))))
            return None

    def key_options(self) -> dict[str, Any]:
        """The arguments of `keys.create`."""
        return {**self.key_fields(), "environment": self.cleaned_data["environment"], "id": self.cleaned_data["id"]}


class EditKeyForm(KeyForm):
    def __init__(self, data: Any, *, key: ApiKey, **kwargs: Any) -> None:
        self.key = key
        own = scopes.ALL & set(key.permissions)
        last_day = key.expires_at and (key.expires_at - timedelta(microseconds=1))
        zone = timezones.zone(kwargs["zone"])
        initial = {name: getattr(key, name) for name in KEY_FIELDS} | {
            "permissions": "\n".join(name for name in key.permissions if name not in own),
            "scopes": sorted(own),
            "allowed_cidrs": "\n".join(key.allowed_cidrs),
            "expires_at": last_day and last_day.astimezone(zone).date(),
        }
        super().__init__(data, initial=initial, **kwargs)

    def changes(self) -> dict[str, Any]:
        """What `keys.update` should change. Scopes of the key that this person doesn't hold are kept."""
        fields = self.key_fields()
        if "expires_at" not in self.changed_data:  # which may be a moment within the day
            del fields["expires_at"]
        kept = [name for name in self.key.permissions if name in scopes.ALL - self.holder]
        fields["permissions"] = [*fields["permissions"], *kept]
        if set(fields["permissions"]) == set(self.key.permissions):
            del fields["permissions"]
        changed = {name for name, value in fields.items() if value != getattr(self.key, name)}
        if changed & set(RATE_LIMIT):  # a limit is both of them
            changed |= set(RATE_LIMIT)
        return {name: fields[name] for name in changed}


class RotateKeyForm(forms.Form):
    """`secret` is the newest one that the person saw: a form that is sent twice rotates once."""

    overlap_seconds = forms.TypedChoiceField(
        coerce=int,
        choices=[
            (0, gettext_lazy("At once")),
            (3600, gettext_lazy("In an hour")),
            (86_400, gettext_lazy("In a day")),
            (604_800, gettext_lazy("In a week")),
        ],
        initial=86_400,
        label=gettext_lazy("The current secret stops working"),
        widget=forms.RadioSelect,
    )
    secret = forms.UUIDField(widget=forms.HiddenInput)
