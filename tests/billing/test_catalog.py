"""Prices as everyone sees them, and as operators set them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from time_machine import travel

from accounts.models import User
from billing.admin.catalog import PlanAdmin
from billing.models import EndpointPrice, Meter, Plan, PlanAllowance, PlanPrice, Price, PriceTier
from tests import factories


@pytest.fixture
def sms(db: None) -> Meter:
    """Graduated, dearer at one endpoint, and included in a plan."""
    meter = Meter.objects.select_related("price").get(slug="sms")
    for up_to, amount in ((None, "0.002"), (1000, "0.01"), (5000, "0.005")):
        PriceTier.objects.create(price=meter.price, up_to=up_to, unit_amount=Decimal(amount))
    EndpointPrice.objects.create(meter=meter, endpoint="/premium", unit_amount=2)
    PlanAllowance.objects.create(plan=Plan.objects.get(slug="developer"), meter=meter, included_quantity=100)
    return meter


def test_a_meter_shows_its_tiers_in_order_and_its_endpoints(anonymous: Any, sms: Meter) -> None:
    shown = next(meter for meter in anonymous.get("/v1/meters").json()["results"] if meter["id"] == "sms")
    assert shown["unit_price"] == 0.01
    assert shown["tiers"] == [
        {"up_to": 1000, "unit_price": 0.01},
        {"up_to": 5000, "unit_price": 0.005},
        {"up_to": None, "unit_price": 0.002},
    ]
    assert shown["endpoint_prices"] == [{"endpoint": "/premium", "unit_price": 2}]


def test_a_flat_meter_and_one_without_a_price_have_no_tiers(anonymous: Any, db: None) -> None:
    Meter.objects.create(slug="unpriced", name="Unpriced", unit="piece")
    shown = {meter["id"]: meter for meter in anonymous.get("/v1/meters").json()["results"]}
    assert [(shown[id]["tiers"], shown[id]["endpoint_prices"]) for id in ("voice", "unpriced")] == [([], [])] * 2


def test_a_plan_shows_what_it_includes(anonymous: Any, sms: Meter) -> None:
    assert anonymous.get("/v1/plans").json()["results"][0]["allowances"] == [{"meter": "sms", "included_quantity": 100}]


def test_lists_of_prices_take_as_many_queries_however_long(
    anonymous: Any, sms: Meter, django_assert_max_num_queries: Any
) -> None:
    for n in range(5):
        meter = Meter.objects.create(slug=f"m{n}", name="M", unit="piece")
        PriceTier.objects.create(price=Price.objects.create(meter=meter, unit_amount=1), unit_amount=1)
    with django_assert_max_num_queries(6):
        anonymous.get("/v1/meters")


@pytest.mark.parametrize("up_to", [None, 1000])
def test_two_tiers_do_not_end_at_one_place(sms: Meter, up_to: int | None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PriceTier.objects.create(price=sms.price, up_to=up_to, unit_amount=1)


def test_operators_set_tiers_endpoints_and_allowances(sms: Meter) -> None:
    operator = Client()
    operator.force_login(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))
    of = {"meter": sms.pk, "price": sms.price.pk, "plan": Plan.objects.get(slug="developer").pk}
    answer = [
        operator.get(reverse(f"admin:billing_{name}_change", args=[pk])).content.decode() for name, pk in of.items()
    ]
    for page, prefix in zip(answer, ("endpoint_prices", "tiers", "allowances"), strict=True):
        assert f'name="{prefix}-TOTAL_FORMS"' in page


def test_operators_see_what_a_customer_would_pay(db: None) -> None:
    """A trial of 14 days from 17 January on: charged at its end, and each month from there."""
    pro = Plan.objects.create(slug="pro", name="Pro", monthly_price=Decimal(30), trial_days=14, grant=5)
    PlanPrice.objects.create(plan=pro, currency="EUR", interval="year", amount=280)
    with travel(datetime(2027, 1, 17, tzinfo=UTC)):
        preview = PlanAdmin(Plan, admin.site).preview(pro)
    assert "EUR, by the year: 280 credits on 31 January 2027, and again on 31 January 2028" in preview
    assert "Any other currency, by the month: 30 credits on 31 January 2027, and again on 28 February 2027" in preview
    assert "The first 14 days are a trial" in preview
