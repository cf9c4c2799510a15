from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.generic import ListView

from accounts import scopes, security
from accounts.lib import identifiers, spreadsheets, texts
from accounts.lib.attachments import attachment
from accounts.lib.languages import sentence
from accounts.lib.problems import InvalidField
from accounts.models import ServiceAccount
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from apikeys import keys
from apikeys.models import ApiKey
from apikeys.pages.forms import CreateKeyForm


class KeysView(OrganizationMixin, ListView[ApiKey]):
    """The organization's keys, newest first: those in use, or those revoked, with `q` in them; also as CSV."""

    scopes = {"get": "keys:read"}
    section = "keys"
    paginate_by = 25
    template_name = "apikeys/keys.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv":
            return attachment(_table(self.get_queryset()), "keys", "csv")
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ApiKey]:
        mine = ApiKey.objects.of(self.organization)
        self.counts = {"current": mine.unrevoked().count(), "revoked": mine.exclude(revoked_at=None).count()}
        self.shows_revoked = self.request.GET.get("status") == "revoked"
        shown = mine.exclude(revoked_at=None) if self.shows_revoked else mine.unrevoked()
        self.search = texts.typed(self.request.GET.get("q", ""))
        if self.search:
            shown = shown.filter(Q(name__icontains=self.search) | Q(public_id=self.search))
        return shown.select_related("created_by").prefetch_related("secrets").order_by("-created_at", "-pk")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(
            counts=self.counts,
            search=self.search,
            shows_revoked=self.shows_revoked,
            may_revoke=self.may("keys:write") and not self.shows_revoked,
            now=timezone.now(),
            **context,
        )


def _table(rows: QuerySet[ApiKey]) -> bytes:
    now = timezone.now()
    columns = ("id", "name", "environment", "status", "permissions", "created_at", "last_used_at", "expires_at")
    return spreadsheets.csv_of(
        columns,
        (
            [
                *(key.public_id, key.name, key.environment, key.status(now), " ".join(key.permissions)),
                *(
                    moment.isoformat() if moment else None
                    for moment in (key.created_at, key.last_used_at, key.expires_at)
                ),
            ]
            for key in rows
        ),
    )


class CreateKeyView(OrganizationMixin):
    """Makes a key. Only the page that answers the form shows its secret."""

    scopes = {"get": "keys:write", "post": "keys:write"}
    section = "keys"

    def form(self, data: Any = None) -> CreateKeyForm:
        longest = security.longest_key_life(self.organization)
        owner = self.service_account()
        role = scopes.of_roles(self.organization.roles_of(owner.user)) if owner else scopes.ALL
        holder = self.credential.scopes & role
        return CreateKeyForm(data, holder=holder, zone=self.person.timezone, longest=longest)

    def service_account(self) -> ServiceAccount | None:
        """The service account that the key will belong to. If the address has none, the key is the person's."""
        named = self.request.GET.get("for")
        if not named:
            return None
        living = ServiceAccount.objects.of(self.organization).living().select_related("user")
        try:
            return living.get(pk=identifiers.uuid_of(named, "svc_"))
        except (ValueError, ServiceAccount.DoesNotExist) as error:
            raise Http404 from error

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        return self._page(self.form())

    def _page(self, form: CreateKeyForm, status: int = 200) -> HttpResponse:
        context = self.get_context_data(form=form, service_account=self.service_account())
        return render(self.request, "apikeys/create.html", context, status=status)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = self.form(request.POST)
        try:
            made = self._make(form) if form.is_valid() else None
        except keys.KeyMadeAlready as problem:  # the page with the secret was reloaded
            messages.info(request, sentence(problem))
            return redirect("apikeys:keys", organization)
        if made is None:
            return self._page(form, status=400)
        key, secret = made
        address = request.build_absolute_uri("/v1/whoami")
        context = self.get_context_data(key=key, secret=secret, address=address)
        response = render(request, "apikeys/created.html", context, status=201)
        add_never_cache_headers(response)
        return response

    def _make(self, form: CreateKeyForm) -> tuple[ApiKey, str] | None:
        """The key and its secret. None if the organization's policy refuses; the form then says why."""
        owner = self.service_account()
        creator = owner.user if owner else self.person
        try:
            return keys.create(self.organization, created_by=creator, **form.key_options())
        except InvalidField as problem:
            refuse(form, problem)
            return None
