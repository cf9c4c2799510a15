"""Endpoints: listed, made, shown with what was sent to them, and changed."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext
from django.views.generic import ListView

from accounts.lib import identifiers
from accounts.lib.attachments import attachment
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import InvalidField, Problem
from accounts.models import Delivery, WebhookEndpoint
from accounts.pages.forms import refuse
from accounts.pages.paging import CappedPaginator
from accounts.pages.webhooks import tables
from accounts.pages.webhooks.base import WebhooksMixin
from accounts.pages.webhooks.forms import EndpointForm, NewEndpointForm, RotateForm
from accounts.webhooks import endpoints

WRITE = {"get": "webhooks:write", "post": "webhooks:write"}
FIELD_NAMES = {"event_types": "types"}


class EndpointsView(WebhooksMixin, ListView[WebhookEndpoint]):
    """The organization's endpoints, newest first, or those with `q` in their URL or description; also as CSV."""

    scopes = {"get": "webhooks:read"}
    template_name = "accounts/webhooks/endpoints.html"
    paginate_by = 50

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv":
            return attachment(tables.of_endpoints(self.get_queryset()), "webhook-endpoints", "csv")
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        own, text = WebhookEndpoint.objects.of(self.organization), self.search()
        named = Q(url__icontains=text) | Q(description__icontains=text)
        return (own.filter(named) if text else own).order_by("-created_at", "-pk")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(search=self.search(), **context)


class NewEndpointView(WebhooksMixin):
    """Makes an endpoint. Only the page that answers the form shows its secret."""

    scopes = WRITE

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        return self.page("new", form=NewEndpointForm(scopes=self.credential.scopes))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = NewEndpointForm(request.POST, scopes=self.credential.scopes)
        try:
            made = self._make(form) if form.is_valid() else None
        except endpoints.EndpointMadeAlready as problem:  # the page with the secret was reloaded
            messages.info(request, sentence(problem))
            return redirect("webhooks", organization)
        return _secret(self, *made, status=201) if made else self.page("new", form=form, status=400)

    def _make(self, form: NewEndpointForm) -> tuple[WebhookEndpoint, str] | None:
        try:
            id = form.cleaned_data["id"]
            return endpoints.create(self.organization, form.params(), scopes=self.credential.scopes, id=id)
        except endpoints.EndpointMadeAlready:
            raise
        except Problem as problem:
            _refuse(form, problem)
            return None


class EndpointView(WebhooksMixin, ListView[Delivery]):
    """An endpoint and its deliveries, newest first: of a status, and of the event that `q` names; also as CSV."""

    scopes = {"get": "webhooks:read"}
    template_name = "accounts/webhooks/endpoint.html"
    paginate_by = 25
    paginator_class = CappedPaginator

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv":
            return attachment(tables.of_deliveries(self.get_queryset()[: tables.MOST]), "webhook-deliveries", "csv")
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Delivery]:
        self.shown = self.endpoint()
        self.status = self.request.GET.get("status", "")
        rows = self.shown.deliveries.filter(_naming(self.search())).select_related("event").order_by("-id")
        return rows.filter(status=self.status) if self.status in Delivery.Status.values else rows

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        waiting = self.shown.deliveries.filter(status=Delivery.Status.PENDING).count()
        statuses = [("", gettext("All")), *((value, translated(label)) for value, label in Delivery.Status.choices)]
        return super().get_context_data(
            endpoint=self.shown,
            waiting=waiting,
            statuses=statuses,
            status=self.status,
            search=self.search(),
            kept={"status": self.status},
            **context,
        )


def _naming(text: str) -> Q:
    """Finds deliveries by what people know: the type of the event, its id, or the delivery's id."""
    for prefix, field in (("evt_", "event_id"), ("dlv_", "pk")):
        with suppress(ValueError):
            return Q(**{field: identifiers.uuid_of(text, prefix)})
    return Q(event__type__icontains=text) if text else Q()


class ChangeEndpointView(WebhooksMixin):
    scopes = WRITE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        form = EndpointForm(initial=EndpointForm.initial_of(endpoint), scopes=self.credential.scopes)
        return self.page("change", form=form, endpoint=endpoint)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        form = EndpointForm(request.POST, initial=EndpointForm.initial_of(endpoint), scopes=self.credential.scopes)
        if form.is_valid():
            try:
                endpoints.change(endpoint, form.params(), scopes=self.credential.scopes)
            except InvalidField as problem:
                _refuse(form, problem)
            else:
                messages.success(request, gettext("The endpoint is saved."))
                return self.back_to(endpoint)
        return self.page("change", form=form, endpoint=endpoint, status=400)


class RotateView(WebhooksMixin):
    """Makes a new secret, which only the page that answers the form shows."""

    scopes = WRITE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        form = RotateForm(initial={"version": endpoint.secret_version})
        return self.page("rotate", form=form, endpoint=endpoint)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        form = RotateForm(request.POST)
        if not form.is_valid():
            return self.page("rotate", form=form, endpoint=endpoint, status=400)
        version = form.cleaned_data["version"]
        try:
            made = endpoints.rotate(endpoint, form.overlap_time(), from_version=version)
        except endpoints.SecretRotatedAlready as problem:  # the page with the secret was reloaded
            messages.info(request, sentence(problem))
            return self.back_to(endpoint)
        return _secret(self, *made, status=200)


def _secret(view: WebhooksMixin, endpoint: WebhookEndpoint, secret: str, status: int) -> HttpResponse:
    response = view.page("secret", endpoint=endpoint, secret=secret, is_new=status == 201, status=status)
    add_never_cache_headers(response)
    return response


def _refuse(form: EndpointForm, problem: Problem) -> None:
    """The API's names of the fields are those of the forms, but for the list of events."""
    for error in problem.errors:
        name = error["pointer"].removeprefix("/")
        form.add_error(FIELD_NAMES.get(name, name), translated(error["detail"]))
    if not problem.errors:
        refuse(form, problem)
