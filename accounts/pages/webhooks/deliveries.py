"""A delivery with its attempts, and sending again."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts import events
from accounts.lib.attachments import attachment
from accounts.lib.problems import Problem
from accounts.models import Delivery, Redelivery, WebhookEndpoint
from accounts.pages.forms import refuse
from accounts.pages.webhooks import tables
from accounts.pages.webhooks.base import WebhooksMixin
from accounts.pages.webhooks.forms import AUDIT, ReplayForm
from accounts.webhooks import redelivery

SHOWN = 20
KINDS = [
    ("", gettext_lazy("All replays")),
    ("failed", gettext_lazy("Failed only")),
    ("all", gettext_lazy("Everything")),
]


class DeliveryView(WebhooksMixin):
    """GET shows the body and each attempt. POST sends it again."""

    scopes = {"get": "webhooks:read", "post": "webhooks:write"}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        delivery = self.delivery()
        type = events.TYPES.get(delivery.event.type)
        body = bytes(delivery.body).decode() if self.may(AUDIT) or not (type and type.audit_only) else ""
        attempts = delivery.attempts.order_by("-id")
        return self.page("delivery", delivery=delivery, endpoint=delivery.endpoint, attempts=attempts, body=body)

    def post(self, request: HttpRequest, organization: str, delivery: str) -> HttpResponse:
        row: Delivery = redelivery.redeliver(self.delivery())
        messages.success(request, gettext("It is sent again, under the same id."))
        return redirect("webhook-delivery", organization, row.public_id)


class ReplayView(WebhooksMixin):
    """Sends the deliveries of a time span again, and shows the progress of earlier replays."""

    scopes = {"get": "webhooks:read", "post": "webhooks:write"}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        if request.GET.get("format") == "csv":
            return attachment(tables.of_replays(self._jobs(endpoint)[: tables.MOST]), "webhook-replays", "csv")
        return self._page(endpoint, ReplayForm(zone=self.person.timezone))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        form = ReplayForm(request.POST, zone=self.person.timezone)
        if form.is_valid():
            try:
                job = redelivery.begin(endpoint, timezone.now(), **form.cleaned_data)
            except Problem as problem:
                refuse(form, problem)
            else:
                text = gettext("There is nothing to send again in that time.")
                if job.total:
                    text = ngettext("%(count)s is sent again.", "%(count)s are sent again.", job.total)
                messages.success(request, text % {"count": job.total})
                return redirect(request.path)
        return self._page(endpoint, form, 400)

    def _page(self, endpoint: WebhookEndpoint, form: ReplayForm, status: int = 200) -> HttpResponse:
        jobs = Paginator(self._jobs(endpoint), SHOWN).get_page(self.request.GET.get("page"))
        kind = self.request.GET.get("kind", "")
        return self.page("replay", endpoint=endpoint, form=form, page_obj=jobs, kind=kind, kinds=KINDS, status=status)

    def _jobs(self, endpoint: WebhookEndpoint) -> QuerySet[Redelivery]:
        rows, kind = endpoint.redeliveries.order_by("-id"), self.request.GET.get("kind")
        return rows.filter(only_failed=kind == "failed") if kind in ("failed", "all") else rows
