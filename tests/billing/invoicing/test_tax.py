"""Who is taxed, by which rate, and why not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.invoicing import tax, vat_ids
from billing.models import BillingAccount, TaxRate

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GERMAN, AUSTRIAN, GREEK = "DE136695976", "ATU13585627", "EL094259216"


@pytest.fixture(autouse=True)
def _rates(db: None, settings: Any) -> None:
    settings.SELLER = {**settings.SELLER, "country": "DE", "vat_id": GERMAN}
    for country, region, valid_from, percent in [
        ("DE", "", "2007-01-01", "19"),
        ("DE", "", "2020-07-01", "16"),
        ("DE", "", "2021-01-01", "19"),
        ("AT", "", "2016-01-01", "20"),
        ("CA", "", "2008-01-01", "5"),
        ("CA", "QC", "2013-01-01", "14.975"),
        ("DE", "", "2027-01-01", "25"),
    ]:
        TaxRate.objects.create(
            country=country, region=region, valid_from=date.fromisoformat(valid_from), percent=Decimal(percent)
        )


def assess(net: str = "100", *, currency: str = "EUR", now: datetime = NOW, **account: Any) -> list[Any]:
    taxes = tax.assess(BillingAccount(**{"country": "DE", **account}), Decimal(net), currency, now)
    return [(each.category, each.percent, each.amount) for each in taxes]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ({}, ("S", 19, 19)),
        ({"country": "AT"}, ("S", 20, 20)),
        ({"country": "AT", "vat_id": AUSTRIAN}, ("AE", 0, 0)),
        ({"country": "AT", "vat_id": AUSTRIAN, "vat_id_valid": True}, ("AE", 0, 0)),
        ({"country": "AT", "vat_id": AUSTRIAN, "vat_id_valid": False}, ("S", 20, 20)),  # the register knows better
        ({"country": "AT", "vat_id": GREEK}, ("S", 20, 20)),  # an id of another country
        ({"country": "GR", "vat_id": GREEK}, ("AE", 0, 0)),
        ({"vat_id": GERMAN}, ("S", 19, 19)),  # the seller's own country
        ({"country": "CA", "state": "ON"}, ("S", 5, 5)),
        ({"country": "CA", "state": "QC"}, ("S", Decimal("14.975"), Decimal("14.98"))),
        ({"tax_exemption": "Charity", "tax_percent": Decimal(7)}, ("E", 0, 0)),
        ({"tax_percent": Decimal(7)}, ("S", 7, 7)),
        ({"tax_percent": Decimal(0)}, ("Z", 0, 0)),
        ({"country": "US"}, None),
        ({"country": "FR"}, None),
    ],
)
def test_the_tax_of(account: dict[str, Any], expected: tuple[Any, ...] | None) -> None:
    assert assess(**account) == ([expected] if expected else [])


def test_without_a_vat_id_of_the_seller_nothing_is_reversed(settings: Any) -> None:
    settings.SELLER = {**settings.SELLER, "vat_id": ""}
    assert assess(country="AT", vat_id=AUSTRIAN) == [("S", 20, 20)]


@pytest.mark.parametrize(
    ("moment", "zone", "percent"),
    [
        ("2020-06-30T22:30:00+00:00", "UTC", 19),
        ("2020-06-30T22:30:00+00:00", "Europe/Berlin", 16),
        ("2020-12-31T23:30:00+00:00", "Europe/Berlin", 19),
        ("2006-12-31T00:00:00+00:00", "UTC", None),
    ],
)
def test_a_rate_counts_from_its_day_in_the_sellers_zone(
    settings: Any, moment: str, zone: str, percent: int | None
) -> None:
    settings.SELLER = {**settings.SELLER, "timezone": zone}
    taxes = assess(now=datetime.fromisoformat(moment))
    assert [rate for _, rate, _ in taxes] == ([percent] if percent else [])


@pytest.mark.parametrize(
    ("net", "currency", "amount"),
    [
        ("0.50", "EUR", "0.10"),
        ("0.13", "EUR", "0.02"),
        ("2.50", "EUR", "0.48"),
        ("50", "JPY", "10"),
        ("5", "KWD", "0.95"),
    ],
)
def test_it_is_rounded_half_up_in_the_currency(net: str, currency: str, amount: str) -> None:
    [(_, _, rounded)] = assess(net, currency=currency)
    assert rounded == Decimal(amount)


def another(account: BillingAccount, net: Decimal, currency: str, now: datetime) -> list[tax.Tax]:
    """As a tax service may answer: two taxes on the same sum."""
    return [
        tax.Tax("State tax", "S", Decimal("6.25"), net, tax.rounded(net / 16, currency)),
        tax.Tax("County tax", "S", Decimal(1), net, tax.rounded(net / 100, currency)),
    ]


def test_another_provider_may_decide(settings: Any) -> None:
    settings.TAX_PROVIDER = f"{__name__}.another"
    assert [amount for _, _, amount in assess()] == [Decimal("6.25"), 1]


@pytest.mark.parametrize(
    ("text", "country", "normal"),
    [
        (" de 136 695 976", "DE", GERMAN),
        ("el094259216", "GR", GREEK),
        ("CHE-107.787.577 IVA", "CH", "CHE107787577IVA"),
        ("anything", "US", "ANYTHING"),
    ],
)
def test_a_vat_id_is_kept_in_its_normal_form(text: str, country: str, normal: str) -> None:
    assert vat_ids.normal(text, country) == normal


@pytest.mark.parametrize(
    ("text", "country"),
    [("DE136695977", "DE"), (AUSTRIAN, "DE"), ("136695976", "DE"), ("GR094259216", "GR"), ("XX", "CH"), ("é", "FR")],
)
def test_what_is_no_vat_id_is_refused(text: str, country: str) -> None:
    with pytest.raises(ValueError, match="This is no"):
        vat_ids.normal(text, country)
