"""A bad number or datetime in one event: it is rejected alone, in plain events and in CloudEvents alike."""

import json
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organization
from tests.conftest import Api
from tests.usage.metering.batches import balance
from tests.usage.metering.cloudevents import BATCH, EVENTS, OPENMETER, send
from usage.models import UsageEvent

BAD_NUMBERS = [
    "1e999999999999999999999",
    "-1",
    "1e-10",
    "9" * 5000,
    '"1e3"',
    '""',
    "null",
    "true",
    '" 1"',
    '"1,5"',
    "[]",
]
ZEROS = ["0", "-0", '"0.000"', "0e-16384", "-0e-16384", f"0.{'0' * 16_384}", "0e999999999999999999999"]
ONES = ["1", '"1"', "1.0", "10e-1", f"1.{'0' * 16_384}"]
BAD_TIMES = [
    *("1795081512345", 1795081512, "20150517", "2015-W20-7", "2015-05-17T10:05:61Z", "2015-05-17T10", "yesterday"),
    *("2015-13-01", "", "10000-01-01T00:00:00Z", "2015-05-17T10:05:03+5:45", [], {}, True),
]
GOOD_TIMES = [
    *("2015-05-17T10:05:03Z", "2015-05-17t10:05:03z", "2015-05-17T15:50:03+05:45", "2015-05-17T10:05:03.000000999Z"),
    "2015-05-17T10:05:03",
]


def plain(owner: Organization, id: str, quantity: str = "1", time: Any = None) -> str:
    """An event of 0.01 credits a unit, whose quantity is JSON as it stands."""
    event = {"id": id, "organization": owner.public_id, "meter": "sms", "occurred_at": time}
    return f'{json.dumps(event)[:-1]}, "quantity": {quantity}}}'


def cloudevent(owner: Organization, id: str, quantity: str = "1", time: Any = None) -> str:
    event = {"specversion": "1.0", "id": id, "source": "s", "type": "sms", "subject": owner.public_id, "time": time}
    return f'{json.dumps(event)[:-1]}, "data": {{"quantity": {quantity}}}}}'


def results(gateway: Api, form: Any, *events: str) -> list[dict[str, Any]]:
    """What became of each event in a batch of that form."""
    batch = ", ".join(events)
    if form is cloudevent:
        response = send(gateway, EVENTS, f"[{batch}]", BATCH)
    else:
        response = gateway.post(EVENTS, f'{{"events": [{batch}]}}')
    assert response.status_code == 200
    outcome: list[dict[str, Any]] = response.json()["results"]
    return outcome


@pytest.mark.parametrize("form", [plain, cloudevent])
@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda text: text[:12])
def test_a_bad_number_is_rejected_alone(gateway: Api, funded: Organization, form: Any, number: str) -> None:
    bad, good = results(gateway, form, form(funded, "bad", number), form(funded, "good"))
    assert (bad["result"], bad["code"], good["result"]) == ("rejected", "invalid", "accepted")
    assert bad["detail"].startswith("data.quantity: " if form is cloudevent else "quantity: ")
    assert balance(funded) == Decimal("99.99")


@pytest.mark.parametrize("form", [plain, cloudevent])
def test_a_number_is_what_it_is_however_it_is_written(gateway: Api, funded: Organization, form: Any) -> None:
    numbers = [*ZEROS, *ONES]
    events = [form(funded, f"e{index}", number) for index, number in enumerate(numbers)]
    assert {result["result"] for result in results(gateway, form, *events)} == {"accepted"}
    quantities = UsageEvent.objects.of(funded).order_by("id").values_list("quantity", flat=True)
    assert sorted(quantities) == [0] * len(ZEROS) + [1] * len(ONES)
    assert balance(funded) == 100 - len(ONES) * Decimal("0.01")


@pytest.mark.parametrize("form", [plain, cloudevent])
def test_a_bad_datetime_is_rejected_alone(gateway: Api, funded: Organization, form: Any) -> None:
    events = [form(funded, f"e{index}", time=time) for index, time in enumerate(BAD_TIMES)]
    *bad, good = results(gateway, form, *events, form(funded, "good"))
    assert [result["code"] for result in bad] == ["invalid"] * len(BAD_TIMES)
    field = "time: " if form is cloudevent else "occurred_at: "
    assert all(result["detail"].startswith(field) for result in bad)
    assert good["result"] == "accepted"


@pytest.mark.parametrize("form", [plain, cloudevent])
def test_a_datetime_may_be_written_in_either_case_and_with_nanoseconds(
    gateway: Api, funded: Organization, form: Any
) -> None:
    events = [form(funded, f"e{index}", time=time) for index, time in enumerate(GOOD_TIMES)]
    assert {result["result"] for result in results(gateway, form, *events)} == {"accepted"}
    moments = UsageEvent.objects.of(funded).values_list("occurred_at", flat=True)
    assert {moment.isoformat() for moment in moments} == {"2015-05-17T10:05:03+00:00"}


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda text: text[:12])
def test_openmeters_clients_are_pointed_to_a_bad_number(gateway: Api, funded: Organization, number: str) -> None:
    batch = f"[{cloudevent(funded, 'good')}, {cloudevent(funded, 'bad', number)}]"
    response = send(gateway, OPENMETER, batch, BATCH)
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == ["/1/data/quantity"]
    assert not UsageEvent.objects.of(funded).exists()


@pytest.mark.parametrize("number", [*ZEROS, *ONES], ids=lambda text: text[:12])
def test_openmeters_clients_may_write_a_number_as_they_like(gateway: Api, funded: Organization, number: str) -> None:
    assert send(gateway, OPENMETER, cloudevent(funded, "e", number)).status_code == 204
    assert UsageEvent.objects.of(funded).get().quantity == (number in ONES)


def test_properties_with_a_wild_number_are_rejected_alone(gateway: Api, funded: Organization) -> None:
    wild = [
        plain(funded, f"e{n}")[:-1] + f', "properties": {{"n": {number}}}}}' for n, number in enumerate(BAD_NUMBERS)
    ]
    outcome = [result["result"] for result in results(gateway, plain, *wild, plain(funded, "good"))]
    assert outcome == ["rejected"] + ["accepted"] * 2 + ["rejected"] + ["accepted"] * (len(BAD_NUMBERS) - 3)
