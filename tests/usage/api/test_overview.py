"""`/v1/overview`: the dashboard's first page, for programs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts import people, tree
from accounts.lib import exact_json
from accounts.models import Organization, User
from apikeys import keys
from billing import attention
from billing.ledger import thresholds
from billing.models import PaymentMethod
from billing.payments import payments, purchases
from tests import factories
from tests.browser import at, signed_in, text
from tests.usage.metering.batches import event, record


def overview(api: Any) -> Any:
    return exact_json.loads(api.get("/v1/overview").content)


def codes(organization: Organization, *scopes: str) -> list[str]:
    return [alert.code for alert in attention.urgent(organization, scopes, timezone.now())]


def test_what_is_left_lasts_as_long_as_at_each_pace(api: Any, alice: User, funded: Organization) -> None:
    record(event(funded, quantity=7000))
    seen = overview(api(alice))
    assert (seen["balance"]["available"], seen["runway"]["health"]) == (93, "Healthy")
    assert [(pace["days"], pace["daily"], pace["days_left"]) for pace in seen["runway"]["paces"]] == [
        (7, 1, 93),
        (30, Decimal("0.233333333"), 398),
    ]


def test_the_month_stands_beside_as_much_of_the_one_before(api: Any, alice: User, funded: Organization) -> None:
    now = timezone.now()
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    earlier = (start - timedelta(days=1)).replace(day=1)
    later = min(earlier + (now - start), start)
    record(
        event(funded),
        event(funded, occurred_at=earlier.isoformat()),
        event(funded, occurred_at=(later - timedelta(seconds=1)).isoformat()) if later > earlier else event(funded),
    )
    seen = overview(api(alice))
    assert (seen["month"]["requests"], seen["month_before"]["requests"]) == (1, 2)
    assert seen["month_before"]["start"].startswith(f"{earlier:%Y-%m-%d}T00:00:00")


def test_endpoints_are_shares_of_the_whole(api: Any, alice: User, funded: Organization) -> None:
    record(*(event(funded, endpoint=f"/{n}") for n in range(8) for _ in range(8 - n)))
    lines = overview(api(alice))["endpoints"]
    assert [line["name"] for line in lines] == ["/0", "/1", "/2", "/3", "/4", None]
    assert [line["share"] for line in lines] == [
        Decimal(share) for share in ("22.2", "19.4", "16.7", "13.9", "11.1", "16.7")
    ]


def test_a_child_and_a_viewer_of_no_credits_see_no_money(api: Any, alice: User, funded: Organization) -> None:
    _, secret = factories.key(funded, created_by=alice, permissions=["usage:read"])
    assert overview(api(secret))["balance"] is None
    child = people.add_child(funded, name="Lab")
    people.switch(alice, child)
    assert (overview(api(alice))["balance"], overview(api(alice))["runway"]) == (None, None)


def test_each_suspension_names_its_node(alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Lab")
    tree.suspend(organization, by=factories.operator(), reason="Fraud")
    (alert,) = attention.urgent(child, [], timezone.now())
    assert alert.detail.startswith(f"{organization.name}, above this organization, is suspended.")
    assert "is suspended. Its keys are refused" in text(signed_in(alice).get(at(organization, "keys/")))


def test_credits_that_run_out_are_told_on_every_page(alice: User, bob: User, funded: Organization) -> None:
    assert codes(funded, "credits:read") == []
    thresholds.set_low_balance(funded, Decimal(150), now=timezone.now())
    assert codes(funded, "credits:read") == ["credits_low"]
    assert codes(funded) == []
    assert "where you wanted to be warned" in text(signed_in(alice).get(at(funded, "people/")))
    record(event(funded, quantity=100_000))
    assert codes(funded, "credits:read") == ["credits_empty"]


def test_a_failed_payment_is_told_until_one_succeeds(organization: Organization) -> None:
    factories.card(organization, "pm_card_chargeDeclined")
    payments.complete(purchases.begin(organization, amount=Decimal(10), method=None, by="test").pk)
    assert codes(organization, "billing:read") == ["payment_failed"]
    assert attention.urgent(organization, ["billing:read"], timezone.now() + timedelta(days=20)) == []
    PaymentMethod.objects.all().update(is_default=False)
    good = factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(10), method=good.public_id, by="test").pk)
    assert codes(organization, "billing:read") == []


def test_a_payment_that_was_canceled_has_not_failed(organization: Organization) -> None:
    factories.card_on_page(organization, "pm_card_authenticationRequired")
    begun = purchases.begin(organization, amount=Decimal(10), method=None, by="user:1")
    payment = payments.complete(begun.pk)
    assert codes(organization, "billing:read") == ["payment_to_confirm"]
    payments.cancel(payment)
    assert codes(organization, "billing:read") == []


def test_what_can_wait_is_on_the_overview(api: Any, alice: User, funded: Organization) -> None:
    soon = timezone.now() + timedelta(days=3)
    key, _ = factories.key(funded, created_by=alice, expires_at=soon, monthly_budget=Decimal(10))
    factories.card(funded)
    PaymentMethod.objects.update(exp_month=timezone.now().month, exp_year=timezone.now().year)
    record(event(key, quantity=9_000))
    alerts = overview(api(alice))["alerts"]
    assert [alert["code"] for alert in alerts] == ["budget_spent", "card_unusable", "key_expiring"]
    assert alerts[0]["detail"] == "Test key has spent 9 of its 10 credits for this month."
    assert alerts[2]["url"].endswith(f"/keys/{key.public_id}/")
    page = text(signed_in(alice).get(at(funded)))
    assert all(alert["detail"] in page for alert in alerts)


def test_a_person_hides_the_first_steps_from_themselves(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    browser = signed_in(alice)
    answer = browser.post(at(organization, "first-steps/dismiss/"))
    assert answer["Location"] == at(organization)
    assert "Get started" not in text(browser.get(at(organization)))
    assert "Get started" in text(signed_in(bob).get(at(organization)))
    assert overview(api(alice))["checklist"]["dismissed"]
    back = api(alice).patch("/v1/overview/checklist", {"dismissed": False})
    assert (back.status_code, back.json()["dismissed"], back.json()["done"]) == (200, False, False)
    assert "Get started" in text(browser.get(at(organization)))


def test_a_service_account_has_no_first_steps_to_hide(api: Any, alice: User, organization: Organization) -> None:
    _, secret = keys.create(organization, name="Robot", created_by=None, permissions=["usage:read"])
    assert api(secret).patch("/v1/overview/checklist", {"dismissed": True}).status_code == 403


def test_the_first_steps_end_in_a_call_with_the_key(alice: User, organization: Organization) -> None:
    assert "$KEY" not in text(signed_in(alice).get(at(organization)))
    factories.key(organization, created_by=alice)
    assert "Authorization: Bearer $KEY" in text(signed_in(alice).get(at(organization)))
