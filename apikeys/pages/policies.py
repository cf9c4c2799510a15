"""The page of an organization's security policy: its own, those above it, and whom a change would lock out.

It is here and not in `accounts`, since a policy concerns API keys too.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts import policy_impact, security
from accounts.lib import addresses, exact_json
from accounts.lib.addresses import client_address
from accounts.lib.problems import Problem
from accounts.models import Organization
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys.models import ApiKey

MOST = 100
SHOWN = 10


class LinesField(forms.CharField):
    """A list, one a line. `normalize` gives each line the form in which a policy keeps it; `ValueError` refuses it."""

    def __init__(self, normalize: Callable[[str], str], **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
        super().__init__(required=False, widget=widget, max_length=6000, **options)
        self.normalize = normalize

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if len(lines) > MOST:
            raise forms.ValidationError(gettext("At most %(most)d lines.") % {"most": MOST})
        normal, wrong = [], []
        for line in lines:
            try:
                normal.append(self.normalize(line.strip()))
            except ValueError as error:
                wrong.append(str(error))
        if wrong:
            raise forms.ValidationError(wrong)
        return list(dict.fromkeys(normal))


def network(text: str) -> str:
    try:
        return addresses.network(text)
    except ValueError:
        sentence = gettext("“%(text)s” is not an IPv4 or IPv6 network, such as 203.0.113.0/24.")
        raise ValueError(sentence % {"text": text}) from None


class PolicyForm(forms.Form):
    require_two_factor = forms.BooleanField(
        required=False,
        label=gettext_lazy("Require a second factor"),
        help_text=gettext_lazy("For people, and for their keys in management. No call at the gate is ever refused."),
    )
    sign_in_methods = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Ways to sign in"),
        help_text=gettext_lazy("None chosen: all of them."),
    )
    allowed_networks = LinesField(
        network,
        label=gettext_lazy("Allowed networks"),
        help_text=gettext_lazy("One per line, such as 203.0.113.0/24. Empty: from everywhere."),
    )
    allowed_email_domains = LinesField(
        security.email_domain,
        label=gettext_lazy("Domains that may be invited"),
        help_text=gettext_lazy("One per line, such as example.com. Empty: all."),
    )
    longest_session_hours = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=security.LONGEST_SESSION_HOURS,
        label=gettext_lazy("Hours until people sign in again"),
    )
    longest_key_life_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=security.LONGEST_KEY_LIFE_DAYS,
        label=gettext_lazy("Days that a new API key lives at most"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        methods = self.fields["sign_in_methods"]
        assert isinstance(methods, forms.MultipleChoiceField)
        methods.choices = [(method, name) for method, name in security.METHOD_NAMES.items()]


class PolicyView(OrganizationMixin):
    """GET shows it. POST first says whom the change would lock out, and saves it once that is confirmed."""

    scopes = {"get": "security:read", "post": "security:write"}
    section = "security"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        policy = security.policy_of(self.organization)
        return self._page(PolicyForm(initial={name: getattr(policy, name) for name in PolicyForm.base_fields}))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = PolicyForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        changes = self._changes(form)
        impact = self._impact(changes)
        if impact and request.POST.get("confirmed") != _fingerprint(changes):
            return self._page(form, impact=impact, fingerprint=_fingerprint(changes))
        try:
            security.change(self.organization, changes, by=self.credential, address=client_address(request))
        except Problem as problem:
            refuse(form, problem)
            return self._page(form, status=problem.status)
        messages.success(request, gettext("The policy is saved. It counts from the next request on."))
        return redirect("apikeys:policy", organization)

    def _changes(self, form: PolicyForm) -> dict[str, Any]:
        """Only values that differ from the current ones: nobody has to confirm what is in place already."""
        policy = security.policy_of(self.organization)
        return {name: value for name, value in form.cleaned_data.items() if getattr(policy, name) != value}

    def _impact(self, changes: Mapping[str, Any]) -> list[tuple[str, list[str], int]]:
        """A sentence for each change that affects people, the first of these people, and how many more there are."""
        now = timezone.now()
        of_people = policy_impact.of(self.organization, changes, now)
        rows = [(_sentence(field, len(emails)), emails) for field, emails in of_people.items()]
        if changes.get("require_two_factor") and (keys := self._keys_of(of_people.get("require_two_factor", []))):
            rows.append((gettext("Their API keys can't manage anything any more; calls at the gate go on:"), keys))
        if (days := changes.get("longest_key_life_days")) and (keys := self._longer_keys(days)):
            rows.append((gettext("These API keys live longer than that, and go on until they are changed:"), keys))
        return [(sentence, names[:SHOWN], max(len(names) - SHOWN, 0)) for sentence, names in rows]

    def _keys_of(self, emails: list[str]) -> list[str]:
        keys = ApiKey.objects.within(self.organization).unrevoked().filter(created_by__email__in=emails)
        return _names(keys)

    def _longer_keys(self, days: int) -> list[str]:
        life = ExpressionWrapper(F("created_at") + timedelta(days=days), output_field=DateTimeField())
        keys = ApiKey.objects.within(self.organization).unrevoked().annotate(longest=life)
        return _names(keys.filter(Q(expires_at=None) | Q(expires_at__gt=F("longest"))))

    def _page(self, form: PolicyForm, status: int = 200, impact: Any = None, fingerprint: str = "") -> HttpResponse:
        visible = set(Organization.objects.visible_to(self.person).values_list("pk", flat=True))
        above = [
            (policy.organization.name if policy.organization_id in visible else "", policy)
            for policy in policy_impact.inherited(self.organization)
        ]
        shown = {"above": above, "impact": impact, "fingerprint": fingerprint}
        context = self.get_context_data(form=form, may_write=self.may("security:write"), **shown)
        return render(self.request, "apikeys/policy.html", context, status=status)


def _fingerprint(changes: Mapping[str, Any]) -> str:
    """A fingerprint of the change that was shown. If other values are entered meanwhile, they are shown for
    confirmation too.
    """
    return hashlib.sha256(exact_json.dumps(changes).encode()).hexdigest()[:16]


def _names(keys: Any) -> list[str]:
    return [f"{key.name} ({key.public_id})" for key in keys.order_by("name", "pk")]


def _sentence(field: str, count: int) -> str:
    people = gettext("1 person") if count == 1 else gettext("%(count)d people") % {"count": count}
    return {
        "require_two_factor": gettext("%(people)s without a second factor can't go on until they add one:"),
        "allowed_networks": gettext("%(people)s signed in from other networks in the last 30 days:"),
        "longest_session_hours": gettext("%(people)s have to sign in again at once:"),
        "sign_in_methods": gettext("%(people)s can sign in by none of these, until they add one:"),
        "allowed_email_domains": gettext(
            "Open invitations of other domains stay, but can't be sent again (%(people)s):"
        ),
    }[field] % {"people": people}
