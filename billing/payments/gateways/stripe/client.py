"""The client of Stripe's library, and how each of its errors is read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests
import stripe
from django.conf import settings
from stripe import RequestOptions, StripeClient

from accounts.lib import deadlines
from billing.payments.gateways.errors import (
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    UnexpectedState,
    UnknownCustomer,
    UnknownObject,
    UnknownToken,
)

# Pinned, so that neither an update of the library nor the account's default changes what we get.
API_VERSION = "2026-10-28.endive"
CONNECT_SECONDS, ANSWER_SECONDS = 3, 20  # the library's own limit is 80
READ: RequestOptions = {"max_network_retries": 2}


class _Session(requests.Session):
    """Waits no longer than the web request that makes the call. What then isn't known yet is found out by a sweep."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        seconds = deadlines.left(CONNECT_SECONDS + ANSWER_SECONDS)
        connect = min(CONNECT_SECONDS, seconds / 2)
        timeout = connect, min(ANSWER_SECONDS, seconds - connect)
        return super().request(*args, **{**options, "timeout": timeout})


def client() -> StripeClient:
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, os.getpid())


@cache
def _client(key: str, api_base: str, process: int) -> StripeClient:
    """Each process makes its own: a fork that shared a connection with its parent could read the parent's responses.

    Requests are retried only with `READ`. Calls that move money are retried from our rows.
    """
    stripe.enable_telemetry = False
    return StripeClient(
        key,
        stripe_version=API_VERSION,
        base_addresses={"api": api_base},
        max_network_retries=0,
        http_client=stripe.RequestsClient(session=_Session()),
    )


def write(idempotency_key: str) -> RequestOptions:
    return {"idempotency_key": idempotency_key}


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors for Stripe's. Callers for whom a declined card is an answer catch `CardError` inside."""
    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise GatewayMisconfigured(_message(error)) from error
    except stripe.IdempotencyError as error:
        raise UnexpectedState(_message(error)) from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise _refusal(error) from error
    except stripe.StripeError as error:  # no answer, 409, 429, 5xx, or nothing that Stripe would say
        raise GatewayUnavailable(_message(error)) from error


def _refusal(error: stripe.InvalidRequestError | stripe.CardError) -> GatewayRefused | UnexpectedState:
    code = error.code or "invalid_request_error"
    if code.endswith("_unexpected_state"):
        return UnexpectedState(_message(error))
    if code == "resource_missing" and error.param == "customer":
        return UnknownCustomer(code, _message(error))
    if error.param == "payment_method":
        return UnknownToken(code, _message(error))
    if code == "resource_missing":
        return UnknownObject(code, _message(error))
    return GatewayRefused(code, _message(error))


def _message(error: stripe.StripeError) -> str:
    """The message, with Stripe's request id, which finds the request in Stripe's logs."""
    request = f" ({error.request_id})" if error.request_id else ""
    return f"{error.user_message or type(error).__name__}{request}"
