from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.generic import ListView

from accounts import security
from accounts.lib.problems import InvalidField
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys import keys
from apikeys.models import ApiKey
from apikeys.pages.forms import CreateKeyForm


class KeysView(OrganizationMixin, ListView[ApiKey]):
    """The organization's keys, newest first: those in use, or those revoked."""

    scopes = {"get": "keys:read"}
    section = "keys"
    paginate_by = 50
    template_name = "apikeys/keys.html"

    def get_queryset(self) -> QuerySet[ApiKey]:
        mine = ApiKey.objects.of(self.organization)
        self.counts = {"current": mine.unrevoked().count(), "revoked": mine.exclude(revoked_at=None).count()}
        self.shows_revoked = self.request.GET.get("status") == "revoked"
        shown = mine.exclude(revoked_at=None) if self.shows_revoked else mine.unrevoked()
        return shown.select_related("created_by").prefetch_related("secrets").order_by("-created_at", "-pk")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(
            counts=self.counts,
            shows_revoked=self.shows_revoked,
            may_revoke=self.may("keys:write") and not self.shows_revoked,
            now=timezone.now(),
            **context,
        )


class CreateKeyView(OrganizationMixin):
    """Makes a key. Only the page that answers the form shows its secret."""

    scopes = {"get": "keys:write", "post": "keys:write"}
    section = "keys"

    def form(self, data: Any = None) -> CreateKeyForm:
        longest = security.longest_key_life(self.organization)
        return CreateKeyForm(data, holder=self.credential.scopes, zone=self.person.timezone, longest=longest)

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        return render(request, "apikeys/create.html", self.get_context_data(form=self.form()))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = self.form(request.POST)
        try:
            made = self._make(form) if form.is_valid() else None
        except keys.KeyMadeAlready as problem:  # the page with the secret was reloaded
            messages.info(request, str(problem))
            return redirect("apikeys:keys", organization)
        if made is None:
            return render(request, "apikeys/create.html", self.get_context_data(form=form), status=400)
        key, secret = made
        address = request.build_absolute_uri("/v1/whoami")
        context = self.get_context_data(key=key, secret=secret, address=address)
        response = render(request, "apikeys/created.html", context, status=201)
        add_never_cache_headers(response)
        return response

    def _make(self, form: CreateKeyForm) -> tuple[ApiKey, str] | None:
        """The key and its secret. None if the organization's policy refuses; the form then says why."""
        try:
            return keys.create(self.organization, created_by=self.person, **form.key_options())
        except InvalidField as problem:
            refuse(form, problem)
            return None
