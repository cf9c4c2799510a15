"""What operators change of an organization is in its events too. The admin's own history is Django's."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from accounts import events
from accounts.models import Organization


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def tell(request: HttpRequest, organization: Organization, type: str, form: forms.ModelForm[Any]) -> None:
    """Record an event that says which fields the form changed, from what to what. None if it changed nothing."""
    names = form.changed_data
    if not names:
        return
    before = {name: form.initial.get(name) for name in names}
    after = {name: form.cleaned_data[name] for name in names}
    events.record(organization.pk, type, {"before": before, "after": after, "actor": actor(request)}, timezone.now())
