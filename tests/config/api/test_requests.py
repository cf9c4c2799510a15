"""X-Request-Id, and numbers that are exact both ways."""

from typing import Any

import pytest

from accounts.models import Organization, User
from billing.models import Price
from tests import factories


def test_the_callers_request_id_is_in_the_answer(anonymous: Any) -> None:
    assert anonymous.get("/healthz", x_request_id="Trace-1.2:3_4").headers["X-Request-Id"] == "Trace-1.2:3_4"


def test_without_one_each_request_gets_its_own(anonymous: Any) -> None:
    assert len({anonymous.get("/healthz").headers["X-Request-Id"] for _ in range(3)}) == 3


@pytest.mark.parametrize("header", ["", "a b", "x" * 101, "é", "<script>", "a\tb", "{}"])
def test_one_of_a_bad_form_is_replaced(anonymous: Any, header: str) -> None:
    given = anonymous.get("/healthz", x_request_id=header).headers["X-Request-Id"]
    assert given != header
    assert len(given) == 32


@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/nothing", "/docs"])
def test_it_is_in_every_answer(anonymous: Any, db: None, path: str) -> None:
    assert anonymous.get(path, x_request_id="mine").headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0.000000001", "0.000000001"),
        ("123456789.123456789", "123456789.123456789"),
        ("999999999999999.999999999", "999999999999999.999999999"),
        ("100", "100"),
        ("1.500000000", "1.5"),
        ("0.1", "0.1"),
        ("1E+3", "1000"),
    ],
)
def test_an_amount_comes_out_digit_by_digit(
    api: Any, alice: User, organization: Organization, amount: str, written: str
) -> None:
    factories.credit(organization, amount)
    for path, member in (
        ("/auth/account/credits", "balance"),
        ("/auth/account/credits", "available"),
        ("/auth/account/ledger", "balance_after"),
    ):
        assert f'"{member}": {written},' in api(alice).get(path).content.decode()


def test_nothing_is_written_as_zero_without_a_sign(api: Any, alice: User) -> None:
    assert '"balance": 0,' in api(alice).get("/auth/account/credits").content.decode()


@pytest.mark.parametrize("quantity", ["0.000000001", "123456789.123456789", "999999999.999999999"])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_number_goes_in_digit_by_digit_with_or_without_quotes(
    gateway: Any, organization: Organization, quantity: str, quoted: bool
) -> None:
    Price.objects.filter(meter__slug="sms").update(unit_amount=1)
    _, secret = factories.key(organization)
    written = f'"{quantity}"' if quoted else quantity
    answer = gateway.post("/v1/keys/verify", f'{{"key": "{secret}", "meter": "sms", "quantity": {written}}}')
    assert f'"cost": {quantity},' in answer.content.decode()


@pytest.mark.parametrize(
    ("quantity", "cost"),
    [("1e-9", "0.000000001"), ("2E+3", "2000"), ("0e-16384", "0"), (f"1.{'0' * 16_384}", "1"), ("0e999999999999", "0")],
)
def test_a_number_without_quotes_may_have_an_exponent(
    gateway: Any, organization: Organization, quantity: str, cost: str
) -> None:
    Price.objects.filter(meter__slug="sms").update(unit_amount=1)
    _, secret = factories.key(organization)
    answer = gateway.post("/v1/keys/verify", f'{{"key": "{secret}", "meter": "sms", "quantity": {quantity}}}')
    assert f'"cost": {cost},' in answer.content.decode()


@pytest.mark.parametrize(
    "quantity",
    [
        "1e999999",
        "-1e999999",
        "1e-999999",
        "0.0000000001",
        "1000000000.000000001",
        "-0.000000001",
        "1" * 4000,
        "true",
        "null",
        "1e999999999999999999999",
        "1" * 5000,
        '"1e3"',
        '"0e0"',
        '"NaN"',
        '"Infinity"',
        '"1_000"',
        '"\u0661\u0662"',
        '"0x10"',
        '""',
        '" 1"',
        "[1]",
        "{}",
    ],
)
def test_a_number_that_does_not_fit_is_named(gateway: Any, organization: Organization, quantity: str) -> None:
    _, secret = factories.key(organization)
    answer = gateway.post("/v1/keys/verify", f'{{"key": "{secret}", "meter": "sms", "quantity": {quantity}}}')
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/quantity"]


def test_text_of_any_script_comes_back_as_it_went_in(api: Any, alice: User) -> None:
    name = 'Ünï — 日本 🚀 \u202e " \\ </script>'
    assert api(alice).post("/v1/organizations", {"name": name}).json()["name"] == name
