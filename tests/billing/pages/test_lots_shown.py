"""The credits page says what credits there are, when they expire, and what reserves some of them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import Organization, User
from tests import factories
from tests.browser import at, signed_in, text
from tests.conftest import Api


def test_lots_stand_in_the_order_in_which_they_are_used(alice: User, gateway: Api, funded: Organization) -> None:
    soon = (timezone.now() + timedelta(days=3)).isoformat()
    body: dict[str, Any] = {"organization": funded.public_id, "amount": "40", "expires_at": soon}
    assert gateway.post("/v1/credits/grants", body).status_code == 201
    page = signed_in(alice).get(at(funded, "credits/"))
    assert [lot.remaining for lot in page.context["lots"]] == [Decimal(40), Decimal(100)]
    assert "in 2 days" in text(page)


def test_what_is_reserved_has_a_name(alice: User, gateway: Api, funded: Organization) -> None:
    key, secret = factories.key(funded)
    hold = gateway.post("/v1/keys/verify", {"key": secret, "meter": "sms", "quantity": 3, "hold_seconds": 60}).json()
    page = signed_in(alice).get(at(funded, "credits/"))
    assert [f"hold_{row.pk.hex}" for row in page.context["holds"]] == [hold["hold"]]
    assert key.name in text(page)
    assert "99.97" in text(page)
