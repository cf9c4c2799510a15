from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.lib import identifiers, texts
from accounts.lib.problems import NotFound
from accounts.models import Delivery, WebhookEndpoint
from accounts.pages.organizations import OrganizationMixin


class WebhooksMixin(OrganizationMixin):
    """A page about the webhooks of one organization."""

    section = "webhooks"

    def search(self) -> str:
        return texts.typed(self.request.GET.get("q", ""))

    def endpoint(self) -> WebhookEndpoint:
        """The endpoint in the address. `NotFound` for another organization's."""
        try:
            pk = identifiers.uuid_of(self.kwargs["endpoint"], "we_")
        except ValueError as error:
            raise NotFound from error
        endpoint = WebhookEndpoint.objects.of(self.organization).select_related("organization").filter(pk=pk).first()
        if endpoint is None:
            raise NotFound
        return endpoint

    def delivery(self) -> Delivery:
        try:
            pk = identifiers.uuid_of(self.kwargs["delivery"], "dlv_")
        except ValueError as error:
            raise NotFound from error
        delivery = Delivery.objects.of(self.organization).select_related("endpoint", "event").filter(pk=pk).first()
        if delivery is None:
            raise NotFound
        return delivery

    def page(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(
            self.request, f"accounts/webhooks/{template}.html", self.get_context_data(**context), status=status
        )

    def back_to(self, endpoint: WebhookEndpoint) -> HttpResponse:
        return redirect("webhook-endpoint", self.organization.public_id, endpoint.public_id)
