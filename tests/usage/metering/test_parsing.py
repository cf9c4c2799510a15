"""Reading one event: pure, before any SQL."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import search
from usage.metering import parsing
from usage.metering.parsing import Rejected, UsageRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEAST = {"id": "e1", "key_id": "key_0123456789abcdef", "meter": "requests"}


def parse(**fields: Any) -> UsageRecord:
    return parsing.parse({**LEAST, **fields}, NOW)


def refusal(body: Any) -> tuple[str, str]:
    """The code, and the field that is wrong, with which the detail begins."""
    with pytest.raises(Rejected) as rejected:
        parsing.parse(body, NOW)
    error = rejected.value
    assert error.detail.startswith(error.field)
    return error.code, error.field


def nested(depth: int) -> Any:
    """Objects in objects, `depth` deep."""
    value: Any = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


def test_what_an_event_leaves_out_has_a_default() -> None:
    assert parsing.parse(LEAST, NOW) == UsageRecord(
        id="e1",
        key="key_0123456789abcdef",
        organization=None,
        meter="requests",
        endpoint="",
        quantity=Decimal(1),
        failed=False,
        occurred_at=NOW,
        properties={},
    )


@pytest.mark.parametrize("field", ["organization", "endpoint", "occurred_at", "properties", "hold"])
def test_null_is_as_good_as_absent(field: str) -> None:
    assert parse(**{field: None}) == parse()


def test_fields_that_nobody_knows_are_let_through() -> None:
    assert parse(trace="abc") == parse()


@pytest.mark.parametrize("body", [None, 7, "e1", [LEAST], Decimal("1.5"), True])
def test_what_is_not_an_object_is_refused(body: Any) -> None:
    assert refusal(body) == ("invalid", "")


@pytest.mark.parametrize(("field", "named"), [("id", "id"), ("meter", "meter"), ("key_id", "")])
def test_what_an_event_needs_is_missed_by_name(field: str, named: str) -> None:
    without = {name: value for name, value in LEAST.items() if name != field}
    assert refusal(without) == refusal({**LEAST, field: None}) == ("missing", named)


@pytest.mark.parametrize("id_", ["e", "x" * 100, "ключ 🔑", " ", "2015-05-17T10:05:03+00:00/1"])
def test_an_id_is_up_to_a_hundred_printable_characters(id_: str) -> None:
    assert parse(id=id_).id == id_


@pytest.mark.parametrize("id_", ["", "x" * 101, 7, True, "a\0b", "a\nb", "\x7f", "\ud800", "\u200b", ["e1"], {}])
def test_an_id_of_another_kind_is_refused(id_: Any) -> None:
    assert refusal({**LEAST, "id": id_}) == ("invalid", "id")


@pytest.mark.parametrize("field", ["key_id", "organization", "meter"])
@pytest.mark.parametrize("value", [7, True, [], {}, "x" * 51, "a\0b", "\udfff"])
def test_a_name_of_another_kind_is_refused(field: str, value: Any) -> None:
    assert refusal({**LEAST, field: value}) == ("invalid", field)


@pytest.mark.parametrize("endpoint", ["/", "/a b/ü", "x" * 2000, "é" * 1000, "/می\u200cخواهم", "/👩\u200d💻"])
def test_an_endpoint_is_any_printable_text(endpoint: str) -> None:
    assert parse(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint", ["x" * 2001, "é" * 1001, "/a\0", "/a\n", "/\u200b", "/\u202e", "/\ud800", 7, 0, False, [], ["/"]]
)
def test_an_endpoint_of_another_kind_is_refused(endpoint: Any) -> None:
    assert refusal({**LEAST, "endpoint": endpoint}) == ("invalid", "endpoint")


@pytest.mark.parametrize(
    ("value", "quantity"),
    [
        (0, "0"), (7, "7"), ("2.5", "2.5"), (Decimal("0.000000001"), "0.000000001"), (10**9, "1000000000"),
        (Decimal("1E9"), "1000000000"), ("-0", "0"), ("1.0000000000", "1"), (Decimal("1E-9"), "0.000000001"),
    ],
)  # fmt: skip
def test_a_quantity_is_a_number_or_its_text(value: Any, quantity: str) -> None:
    assert parse(quantity=value).quantity == Decimal(quantity)


@pytest.mark.parametrize(
    "quantity",
    [
        -1, "-0.000000001", 10**9 + 1, "1000000000.000000001", "0.0000000001", "1E10", "1E-10", "1E999999", "1E-999999",
        "1e3", "0e0", Decimal("Infinity"), "NaN", "sNaN", "Infinity", "-Infinity", "", "one", "1_000", "１２", " 1",
        "1,5", "0x10", True, None, [], {}, "9" * 5000,
    ],
)  # fmt: skip
def test_another_quantity_is_refused(quantity: Any) -> None:
    assert refusal({**LEAST, "quantity": quantity}) == ("invalid", "quantity")


@search(100)
@given(st.decimals(min_value=0, max_value=10**9, places=9))
def test_every_quantity_in_range_is_kept_to_the_digit(quantity: Decimal) -> None:
    assert parse(quantity=f"{quantity:f}").quantity == parse(quantity=quantity).quantity == quantity


@pytest.mark.parametrize("status", ["success", 100, 200, 204, 301, 304, 399, "101", "200", "302"])
def test_1xx_to_3xx_are_successes(status: Any) -> None:
    assert parse(status=status).failed is False


@pytest.mark.parametrize("status", ["failed", 400, 404, 429, 499, 500, 599, "403", "503"])
def test_4xx_and_5xx_are_failures(status: Any) -> None:
    assert parse(status=status).failed is True


@pytest.mark.parametrize(
    "status", [None, True, 0, 99, 600, -200, "0200", "20", "2xx", "٢٠٠", "ok", "", Decimal("200.5"), [200], {}]
)
def test_another_status_is_refused(status: Any) -> None:
    assert refusal({**LEAST, "status": status}) == ("invalid", "status")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015-05-17T10:05:03Z", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("2015-05-17T10:05:03+05:45", datetime(2015, 5, 17, 4, 20, 3, tzinfo=UTC)),
        ("2015-05-17T10:05:03.123456-03:30", datetime(2015, 5, 17, 13, 35, 3, 123456, tzinfo=UTC)),
        ("2015-05-17T10:05:03", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("2015-05-17", datetime(2015, 5, 17, tzinfo=UTC)),
        ("2015-05-17t10:05:03.123456789z", datetime(2015, 5, 17, 10, 5, 3, 123456, tzinfo=UTC)),
        ("2015-06-30T23:59:60Z", datetime(2015, 6, 30, 23, 59, 59, 999999, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_any_past_moment_is_accepted(text: str, moment: datetime) -> None:
    assert parse(occurred_at=text).occurred_at == moment


def occurred(text: str, ahead: int = 0) -> datetime:
    """When an event counts, for a payer whose clock is so many days ahead."""
    return parsing.not_ahead(parse(occurred_at=text).occurred_at, NOW, timedelta(days=ahead))


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00.000001Z", "2026-11-20T13:00:00Z"])
def test_up_to_an_hour_ahead_is_a_fast_clock_and_counts_now(text: str) -> None:
    assert occurred(text) == NOW


@pytest.mark.parametrize("text", ["2026-11-20T13:00:00.000001Z", "2026-12-01", "9999-12-31T23:59:59Z"])
def test_more_than_an_hour_ahead_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as rejected:
        occurred(text)
    assert (rejected.value.code, rejected.value.field) == ("in_the_future", "occurred_at")


def test_an_event_counts_by_the_clock_of_its_payer() -> None:
    tomorrow = NOW + timedelta(days=1)
    assert occurred("2026-11-21T11:00:00Z", ahead=1) == tomorrow - timedelta(hours=1)
    assert occurred("2026-11-21T13:00:00Z", ahead=1) == tomorrow
    assert parsing.not_ahead(parse().occurred_at, NOW, timedelta(days=1)) == tomorrow
    with pytest.raises(Rejected):
        occurred("2026-11-21T13:00:01Z", ahead=1)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday", "", 1431857103, True, [], {}, "2015-13-01", "2015-02-30", "10000-01-01T00:00:00Z", "24:00",
        "0000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2015-05-17T10:05:61Z",
        "1795081512345", "1795081512", "20150517", "2015-W20-7",
        "T" * 300_000,
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: Any) -> None:
    assert refusal({**LEAST, "occurred_at": value}) == ("invalid", "occurred_at")


@pytest.mark.parametrize(
    "properties",
    [{}, {"a": [1, None, True, "ü", Decimal("1E-999")]}, {"": {"big": 10**400}}, nested(20)],
)
def test_properties_are_any_json_object(properties: Any) -> None:
    assert parse(properties=properties).properties == properties


@pytest.mark.parametrize(
    "properties",
    [
        [], "a", 7, True, {"a": "\0"}, {"\0": 1}, {"a": ["\ud800"]}, {"\udfff": 1}, nested(21),
        {"n": Decimal("1E1000")}, {"n": Decimal("1E-1000")}, {"n": Decimal("1E+99999999")}, {"n": Decimal("NaN")},
        {"n": Decimal("0." + "1" * 2000)},
    ],
)  # fmt: skip
def test_properties_that_postgresql_could_not_store_are_refused(properties: Any) -> None:
    assert refusal({**LEAST, "properties": properties}) == ("invalid", "properties")


def test_a_hold_is_named_by_its_public_id() -> None:
    assert parse(hold="hold_" + "0a" * 16).hold == UUID("0a" * 16)


@pytest.mark.parametrize("value", ["hold_0", "hold_" + "0A" * 16, "0a" * 16, "hold_" + "0a" * 16 + "\n", 7, ["hold_"]])
def test_a_hold_that_can_not_exist_is_refused(value: Any) -> None:
    assert refusal({**LEAST, "hold": value}) == ("unknown_hold", "hold")


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    [*LEAST, "organization", "endpoint", "quantity", "status", "occurred_at", "properties", "hold"]
)


@search(200)
@given(st.dictionaries(fields, anything))
def test_whatever_comes_is_an_event_or_a_refusal(body: dict[str, Any]) -> None:
    code = "accepted"
    try:
        parsing.parse({**LEAST, **body}, NOW)
    except Rejected as error:
        code = error.code
    assert code in {"accepted", "invalid", "missing", "unknown_hold", "in_the_future"}
