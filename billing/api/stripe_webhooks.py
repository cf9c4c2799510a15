"""Where Stripe delivers its events."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.lib.problems import Problem
from billing.payments import inbound
from billing.payments.gateways import InvalidWebhook

NAME = "stripe"


class NotOfStripe(Problem):
    """A delivery that Stripe didn't sign for us, or that can't be read."""

    status = 400
    code = "invalid_webhook"
    detail = "This is no delivery of Stripe's."


@extend_schema(exclude=True)
class StripeWebhookView(APIView):
    """The signature is the credential, and addresses have no rate limit: all deliveries come from few addresses."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    body_limit = 4 * 1024 * 1024

    def post(self, request: Request) -> Response:
        """Store the event and answer at once. 400 for whatever Stripe didn't sign for us."""
        if settings.PAYMENT_GATEWAY != NAME:
            raise Http404
        from billing.payments.gateways.stripe import StripeGateway  # only now, since it is slow to import

        now = timezone.now()
        try:
            event = StripeGateway().read_webhook(
                request._request.body, request.headers.get("Stripe-Signature", ""), now
            )
        except InvalidWebhook as error:
            raise NotOfStripe(str(error)) from error
        inbound.receive(NAME, [event], now)
        return Response(status=status.HTTP_200_OK)
