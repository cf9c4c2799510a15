"""The sandbox answers to Stripe's test tokens as Stripe's test mode does."""

from decimal import Decimal

import pytest

from billing.payments.gateways import UnknownToken
from billing.payments.gateways.sandbox import BRANDS, DECLINES, SandboxGateway

sandbox = SandboxGateway()


def charge(token: str, key: str = "k1") -> tuple[str, str]:
    answer = sandbox.charge(token=token, amount=Decimal(5), currency="USD", idempotency_key=key)
    return answer.status, answer.failure_code


@pytest.mark.parametrize(("token", "brand", "last4"), [(token, *card) for token, card in BRANDS.items()])
def test_a_good_card_is_kept_and_charged(token: str, brand: str, last4: str) -> None:
    card = sandbox.attach(token)
    assert (card.token, card.brand, card.last4) == (token, brand, last4)
    assert charge(token) == ("succeeded", "")


@pytest.mark.parametrize(("token", "code"), DECLINES.items())
def test_a_bad_card_is_kept_and_declined(token: str, code: str) -> None:
    assert sandbox.attach(token).token == token
    assert charge(token) == ("failed", code)


@pytest.mark.parametrize("token", ["", "pm_card_unheard_of", "4242424242424242", "PM_CARD_VISA", "pm_card_visa "])
def test_an_unknown_token_is_refused(token: str) -> None:
    with pytest.raises(UnknownToken):
        sandbox.attach(token)


def test_a_key_names_one_charge() -> None:
    references = [
        sandbox.charge(token="pm_card_visa", amount=Decimal(5), currency="USD", idempotency_key=key).reference
        for key in ("a", "a", "b")
    ]
    assert references[0] == references[1] != references[2]
