"""Actions on an endpoint with a button each: enable, disable, delete, test."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from accounts.lib.languages import sentence
from accounts.lib.problems import TooManyRequests
from accounts.models import Delivery
from accounts.pages.webhooks.base import WebhooksMixin
from accounts.webhooks import endpoints

WRITE = {"get": "webhooks:write", "post": "webhooks:write"}


class EnableView(WebhooksMixin):
    """Asks what to do with the deliveries that wait."""

    scopes = WRITE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        waiting = endpoint.deliveries.filter(status=Delivery.Status.PENDING)
        oldest = waiting.order_by("id").first()
        return self.page("enable", endpoint=endpoint, waiting=waiting.count(), oldest=oldest)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        endpoints.enable(endpoint, send_waiting=request.POST.get("waiting") != "drop")
        messages.success(request, gettext("The endpoint is enabled."))
        return self.back_to(endpoint)


class DisableView(WebhooksMixin):
    scopes = WRITE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        waiting = endpoint.deliveries.filter(status=Delivery.Status.PENDING).count()
        return self.page("disable", endpoint=endpoint, waiting=waiting)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        endpoints.disable(endpoint)
        messages.success(request, gettext("The endpoint is disabled."))
        return self.back_to(endpoint)


class DeleteView(WebhooksMixin):
    scopes = WRITE

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        waiting = endpoint.deliveries.filter(status=Delivery.Status.PENDING).count()
        last = endpoint.deliveries.filter(status=Delivery.Status.SUCCEEDED).order_by("-id").first()
        return self.page("delete", endpoint=endpoint, waiting=waiting, last=last)

    def post(self, request: HttpRequest, organization: str, **_: str) -> HttpResponse:
        endpoints.delete(self.endpoint())
        messages.success(request, gettext("The endpoint is deleted."))
        return redirect("webhooks", organization)


class TestView(WebhooksMixin):
    """Sends a test event, and shows the answer."""

    scopes = {"post": "webhooks:write"}

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        endpoint = self.endpoint()
        try:
            answer = endpoints.test(endpoint)
        except TooManyRequests as problem:
            messages.error(request, sentence(problem))
            return self.back_to(endpoint)
        return self.page("tested", endpoint=endpoint, answer=answer)
