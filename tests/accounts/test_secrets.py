"""After a run through everything that makes secrets, none is in the database, events, deliveries, exports or the log.

A secret is what opens something by itself. The outbox of emails holds links and codes, encrypted.
"""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts import tasks, tokens
from accounts.models import Delivery, Organization, User
from apikeys import keys
from tests import factories
from tests.accounts.test_second_factors import add_app, signed_in
from tests.leaks import tables_with


def made(api: Any, alice: User, organization: Organization) -> dict[str, str]:
    """One of each, by the ways in which people and programs make them."""
    owner = api(alice)
    browser = signed_in(alice)
    key = owner.post("/v1/account/api-keys", {"name": "k", "permissions": ["account:read"]}).json()
    rotated = owner.post(f"/v1/account/api-keys/{key['key_id']}/rotate", {}).json()
    hook = owner.post(
        "/v1/webhook-endpoints", {"url": "https://example.com/?key=hooksecret", "event_types": ["*"]}
    ).json()
    new_hook = owner.post(f"/v1/webhook-endpoints/{hook['id']}/rotate", {}).json()
    invitation = owner.post("/v1/invitations", {"email": "eve@example.com", "role": "viewer"}).json()
    pair = tokens.issue(alice, organization)
    seed = add_app(browser)
    codes = browser.get("/accounts/security/recovery-codes/").content.decode()
    challenge = Client().post(
        "/v1/auth/token", {"email": alice.email, "password": factories.PASSWORD}, content_type="application/json"
    )
    Client().post("/accounts/password/reset/", {"email": alice.email})
    tasks.send_emails()
    reset = re.search(r"/password/reset/key/[0-9A-Za-z]+-(\S+)/", str(mail.outbox[-1].body))
    assert reset
    return {
        "password": factories.PASSWORD,
        "key": key["api_key"],
        "rotated key": rotated["api_key"],
        "platform key": keys.create_platform("gateway")[1],
        "webhook secret": hook["secret"],
        "rotated webhook secret": new_hook["secret"],
        "invitation": invitation["accept_url"].partition("token=")[2],
        "refresh token": pair.refresh,
        "access token": pair.access,
        "seed": seed,
        "recovery code": re.search(r"<code[^>]*>(\d{8})<", codes)[1],  # type: ignore[index]
        "challenge": challenge.json()["challenge"],
        "reset link": reset[1],
        "session": str(browser.session.session_key),
    }


def test_no_secret_is_anywhere(
    api: Any, alice: User, organization: Organization, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = made(api, alice, organization)
    owner = api(alice)  # a new second factor has ended the sign-in of before
    tasks.publish_events()
    exports = [owner.get(f"/v1/events/export?format={format}").content.decode() for format in ("jsonl", "csv")]
    bodies = [bytes(body).decode() for body in Delivery.objects.values_list("body", flat=True)]
    assert exports[0].count("api_key.created")
    assert bodies
    output = "\n".join([*exports, *bodies, caplog.text])
    for name, secret in secrets.items():
        bare = re.sub(r"^(whsec_|rt_[0-9a-f]{32}|ch_|sk_live_)", "", secret)
        assert len(bare) >= 8, name
        assert bare not in output, name
        assert not tables_with(bare), name
    assert "hooksecret" not in output  # the query of a URL
