from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from accounts import events, scopes
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.search import owner_fields
from accounts.lib import form_ids
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import Problem
from accounts.models import Attempt, Delivery, Redelivery, WebhookEndpoint
from accounts.webhooks import endpoints, redelivery

CHOICES = [(endpoints.EVERYTHING, _("* (all, also those that are added later)"))]


class PlatformEndpointForm(forms.ModelForm[WebhookEndpoint]):
    """An endpoint of the company's own: it gets the events of all organizations."""

    url = forms.CharField(max_length=2048, strip=False, label=_("URL"))
    event_types = forms.MultipleChoiceField(label=_("Event types"))
    form_id = forms.CharField(initial=form_ids.new, widget=forms.HiddenInput)

    class Meta:
        model = WebhookEndpoint
        fields = ["url", "description", "event_types"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["event_types"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [*CHOICES, *((name, name) for name in sorted(events.TYPES))]

    def clean_url(self) -> str:
        try:
            return endpoints.check_url(self.cleaned_data["url"])
        except Problem as problem:
            raise ValidationError([translated(error["detail"]) for error in problem.errors]) from problem

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        try:
            data["form_id"] = form_ids.read(data.get("form_id", ""))
        except ValueError as error:
            raise ValidationError(translated(str(error))) from error
        if WebhookEndpoint.objects.owned_by(None).count() >= endpoints.MOST:
            raise ValidationError(translated(endpoints.TooManyEndpoints.detail))
        return data


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin[WebhookEndpoint]):
    """Operators look at endpoints, enable and disable them. Superusers add those of the company's own."""

    id_prefix = "we_"
    list_display = ["url", "public_id", "organization", "status", "disabled_reason", "failures", "created_at"]
    list_filter = ["status", ("organization", admin.EmptyFieldListFilter)]
    list_select_related = ["organization"]
    search_fields = [*owner_fields("organization"), "url"]
    ordering = ["-created_at"]
    actions = ["enable", "enable_empty", "disable"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).exclude(status=WebhookEndpoint.Status.DELETED)

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        if obj is None:
            return ["url", "description", "event_types", "form_id"]
        return [
            *("public_id", "organization", "url", "description", "event_types", "includes_subtree", "api_version"),
            *("status", "disabled_reason", "failures", "first_failed_at", "next_attempt_at", "warned_at"),
            *("previous_secret_expires_at", "created_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return self.get_fields(request, obj) if obj else []

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It gets the events of every organization, which is more than any permission here allows."""
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Needed by the actions; every field is read-only."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    @admin.action(description="Enable the selected endpoints, and send what waits", permissions=["change"])
    def enable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in chosen:
            endpoints.enable(endpoint, send_waiting=True)
            self.log_change(request, endpoint, "enabled")

    @admin.action(description="Enable the selected endpoints, and drop what waits", permissions=["change"])
    def enable_empty(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in chosen:
            endpoints.enable(endpoint, send_waiting=False)
            self.log_change(request, endpoint, "enabled, and what waited is dropped")

    @admin.action(description="Disable the selected endpoints", permissions=["change"])
    def disable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in chosen:
            endpoints.disable(endpoint)
            self.log_change(request, endpoint, "disabled")

    def get_form(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None, change: bool = False, **options: Any
    ) -> Any:
        form = PlatformEndpointForm if obj is None else self.form
        return super().get_form(request, obj, change, **{**options, "form": form})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except Problem as problem:  # the page with the secret was reloaded, or another operator was faster
            self.message_user(request, sentence(problem), messages.WARNING)
            return redirect("admin:accounts_webhookendpoint_changelist")

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        """Only adding saves anything. The secret is shown on the next page, and nowhere else."""
        if not change:
            data = form.cleaned_data
            params = {name: data[name] for name in ("url", "description", "event_types")}
            made, form.secret = endpoints.create(None, params, scopes=scopes.ALL, id=data["form_id"])
            obj.__dict__.update(made.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        request.webhook_secret = getattr(form, "secret", "")  # type: ignore[attr-defined]
        super().save_related(request, form, formsets, change)

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Webhook endpoint of the company"),
            "endpoint": obj,
            "secret": request.webhook_secret,  # type: ignore[attr-defined]
            "opts": self.opts,
        }
        response = render(request, "admin/accounts/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response


class AttemptInline(admin.TabularInline[Attempt, Delivery]):
    model = Attempt
    extra = 0
    can_delete = False
    ordering = ["-id"]
    fields = ["number", "created_at", "status", "error", "address", "duration_ms", "answer"]
    readonly_fields = ["number", "created_at", "status", "error", "address", "duration_ms", "answer"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """Deliveries, sent and waiting, with every attempt. Operators can send them again."""

    id_prefix = "dlv_"
    list_display = ["public_id", "type", "endpoint", "status", "attempt_count", "created_at", "next_attempt_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["endpoint", "event"]
    search_fields = [*owner_fields("endpoint__organization"), "endpoint__url"]
    ordering = ["-id"]
    inlines = [AttemptInline]
    actions = ["redeliver"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            *("public_id", "endpoint", "event", "type", "sequence", "status", "attempt_count"),
            *("created_at", "next_attempt_at", "sent"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Needed by the action; every field is read-only."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    @admin.display(description="type")
    def type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description="body")
    def sent(self, delivery: Delivery) -> str:
        return bytes(delivery.body).decode()

    @admin.action(description="Send the selected deliveries again", permissions=["change"])
    def redeliver(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        for delivery in chosen:
            redelivery.redeliver(delivery)
            self.log_change(request, delivery, "sent again")


@admin.register(Redelivery)
class RedeliveryAdmin(ReadOnlyAdmin[Redelivery]):
    id_prefix = "rdl_"
    list_display = ["public_id", "endpoint", "since", "until", "only_failed", "done", "total", "finished_at"]
    list_select_related = ["endpoint"]
    search_fields = [*owner_fields("endpoint__organization"), "endpoint__url"]
    ordering = ["-id"]
