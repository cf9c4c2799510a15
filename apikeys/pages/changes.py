"""Changing, enabling and rotating one key in the browser."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext

from accounts import security
from accounts.lib.problems import Problem
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys import bounds, keys
from apikeys.models import ApiKey
from apikeys.pages.forms import EditKeyForm, RotateKeyForm


class KeyMixin(OrganizationMixin):
    """A page about one key of the organization."""

    section = "keys"

    def key(self) -> ApiKey:
        own = ApiKey.objects.of(self.organization).select_related("organization", "created_by")
        key = own.prefetch_related("secrets").filter(public_id=self.kwargs["key"]).first()
        if key is None:
            raise Http404
        return key

    def to_key(self) -> HttpResponse:
        return redirect("usage:key", self.organization.public_id, self.kwargs["key"])


def of_unrevoked(handle: Callable[[Any, HttpRequest, ApiKey], HttpResponse]) -> Callable[..., HttpResponse]:
    """Gives a handler its key. If that was revoked, perhaps in another tab, the page of the key says so instead."""

    @wraps(handle)
    def handle_key(view: KeyMixin, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        row = view.key()
        if row.revoked_at is None:
            return handle(view, request, row)
        messages.info(request, gettext("The key %(name)s is revoked already.") % {"name": row.name})
        return view.to_key()

    return handle_key


class EditKeyView(KeyMixin):
    scopes = {"get": "keys:write", "post": "keys:write"}

    def form(self, key: ApiKey, data: Any = None) -> EditKeyForm:
        longest = security.longest_key_life(self.organization)
        return EditKeyForm(data, key=key, holder=self.credential.scopes, zone=self.person.timezone, longest=longest)

    @of_unrevoked
    def get(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        return render(request, "apikeys/edit.html", self.get_context_data(key=row, form=self.form(row)))

    @of_unrevoked
    def post(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        form = self.form(row, request.POST)
        if form.is_valid() and self._saved(row, form):
            messages.success(request, gettext("The key %(name)s is saved.") % {"name": row.name})
            return self.to_key()
        return render(request, "apikeys/edit.html", self.get_context_data(key=row, form=form), status=400)

    def _saved(self, key: ApiKey, form: EditKeyForm) -> bool:
        changes = form.changes()
        try:
            if bounds.widening(key, changes):
                bounds.check_not_beyond(key, self.credential.granted, by=None)
            keys.update(key, changes)
        except Problem as problem:
            refuse(form, problem)
            return False
        return True


class EnableKeyView(KeyMixin):
    """Enables a key that was disabled."""

    scopes = {"post": "keys:write"}

    @of_unrevoked
    def post(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        if bounds.widening(row, {"enabled": True}):
            bounds.check_not_beyond(row, self.credential.granted, by=None)
        keys.update(row, {"enabled": True})
        messages.success(request, gettext("The key %(name)s is enabled.") % {"name": row.name})
        return self.to_key()


class RotateKeyView(KeyMixin):
    """Gives a key a new secret, which only the page that answers the form shows."""

    scopes = {"get": "keys:write", "post": "keys:write"}

    @of_unrevoked
    def get(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        form = RotateKeyForm(initial={"secret": newest(row)})
        return render(request, "apikeys/rotate.html", self.get_context_data(key=row, form=form))

    @of_unrevoked
    def post(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        bounds.check_not_beyond(row, self.credential.granted, by=None)
        form = RotateKeyForm(request.POST)
        if not form.is_valid():
            return render(request, "apikeys/rotate.html", self.get_context_data(key=row, form=form), status=400)
        if form.cleaned_data["secret"] != newest(row):
            messages.info(request, gettext("This key was rotated already, and its new secret was shown once."))
            return self.to_key()
        secret = keys.rotate(row, timedelta(seconds=form.cleaned_data["overlap_seconds"]))
        context = self.get_context_data(key=row, secret=secret, address=request.build_absolute_uri("/v1/whoami"))
        response = render(request, "apikeys/created.html", context, status=201)
        add_never_cache_headers(response)
        return response


def newest(key: ApiKey) -> Any:
    return max(key.secrets.all(), key=lambda secret: secret.created_at).pk
