from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.http import QueryDict
from django.utils import timezone

from accounts import scopes
from accounts.lib import form_ids, timezones
from accounts.lib.problems import Problem
from accounts.pages.forms import refuse
from apikeys import key_permissions

LARGEST_LIST = 100
LAST_DAY = date(2999, 12, 31)


class CreateKeyForm(forms.Form):
    """A new key. Its permissions are scopes that its creator holds, and names of the company's own API."""

    name = forms.CharField(max_length=100, help_text="What will use it, such as “Production server”.")
    environment = forms.ChoiceField(
        choices=[("live", "Live"), ("test", "Test")],
        initial="live",
        widget=forms.RadioSelect,
        help_text="A test key is verified and metered like a live one, at no cost.",
    )
    permissions = forms.CharField(
        required=False,
        max_length=10_000,
        label="Product permissions",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "messaging:send"}),
        help_text="One a line, of the form resource:action. Your calls are checked against them.",
    )
    scopes = forms.MultipleChoiceField(
        required=False,
        label="Access to Tollgate's own API",
        widget=forms.CheckboxSelectMultiple,
        help_text="Only what you hold yourself. If you lose it, the key loses it too.",
    )
    expires_at = forms.DateField(
        required=False,
        label="Expires after",
        validators=[MaxValueValidator(LAST_DAY)],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day on which it works. Leave it empty for a key that does not expire.",
    )
    id = forms.CharField(initial=form_ids.new, required=False, widget=forms.HiddenInput)
    description = forms.CharField(required=False, max_length=500, help_text="For the people who find it in a year.")

    def __init__(
        self, *args: Any, holder: Iterable[str], zone: str, longest: timedelta | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.holder, self.zone = frozenset(holder), timezones.zone(zone)
        if longest:
            self.fields["expires_at"].help_text = f"Keys of this organization live at most {longest.days} days."
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
            raise ValidationError("That day is over.")
        return end

    def clean_id(self) -> UUID | None:
        try:
            return form_ids.read(self.cleaned_data["id"])
        except ValueError as error:
            self.data = cast(QueryDict, self.data).copy()
            self.data["id"] = form_ids.new()
            self.add_error(None, ValidationError(str(error)))
            return None

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        wanted = [*data.get("permissions", "").replace(",", " ").split(), *data.get("scopes", [])]
        if len(wanted) > LARGEST_LIST:
            self.add_error("permissions", ValidationError(f"At most {LARGEST_LIST} permissions."))
        try:
            key_permissions.check(wanted, self.holder)
        except Problem as problem:
            refuse(self, problem)
        return {**data, "permissions": wanted}

    def key_options(self) -> dict[str, Any]:
        """The arguments of `keys.create`."""
        data = self.cleaned_data
        return {name: data[name] for name in ("name", "environment", "permissions", "description", "expires_at", "id")}
