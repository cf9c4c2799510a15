"""What we sign, the official library verifies: with either secret during a rotation, and not a byte later."""

import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.webhooks import signing

BODY = '{"amount": 80.50, "name": "é"}'.encode()


def sent(*secrets: str, at: int | None = None) -> dict[str, str]:
    return signing.headers("evt_1", at or int(time.time()), BODY, secrets)


def test_the_official_library_verifies_with_either_secret_of_a_rotation() -> None:
    old, new = signing.make_secret(), signing.make_secret()
    for secret in (old, new):
        Webhook(secret).verify(BODY, sent(new, old))


@pytest.mark.parametrize("wrong", [{"body": BODY + b" "}, {"secret": signing.make_secret()}, {"id": "evt_2"}])
def test_it_refuses_whatever_is_changed(wrong: dict[str, Any]) -> None:
    secret = signing.make_secret()
    headers = sent(secret) | ({"webhook-id": wrong["id"]} if "id" in wrong else {})
    with pytest.raises(WebhookVerificationError):
        Webhook(wrong.get("secret", secret)).verify(wrong.get("body", BODY), headers)


def test_it_refuses_an_old_attempt_so_each_is_signed_anew() -> None:
    secret = signing.make_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, sent(secret, at=int(time.time()) - 600))
    Webhook(secret).verify(BODY, sent(secret))
