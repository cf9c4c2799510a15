"""A key that may not do what we need is named at start."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from billing.payments.gateways import startup
from tests.stripe.process import StandIn


def check() -> tuple[int, str]:
    """The exit code and all that is written."""
    output = StringIO()
    try:
        call_command("check_payment_gateway", stdout=output, stderr=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def test_the_sandbox_is_ready(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "sandbox"
    assert check() == (0, "The payment gateway is ready.\n")


def test_stripe_with_a_good_key_is_ready(stand_in: StandIn) -> None:
    assert check() == (0, "The payment gateway is ready.\n")


def test_what_the_key_lacks_is_named(stand_in: StandIn) -> None:
    stand_in.fault("payment_methods.list", "status", status=403)
    stand_in.fault("events.list", "status", status=403)
    lacks = "Our key for the payment gateway lacks the permission for {}.\n".format
    assert check() == (1, lacks("PaymentMethods") + lacks("Events"))


def test_a_key_that_is_none_is_said(stand_in: StandIn, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_typo"
    code, output = check()
    assert (code, output.startswith("The payment gateway does not accept our key: Invalid API Key")) == (1, True)
    assert "sk_live_typo" not in output


def test_a_gateway_that_is_down_is_said(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.fault("customers.list", "status", status=503, times=3)
    (problem,) = startup.problems()
    assert problem.startswith("The payment gateway can't be reached: ")
