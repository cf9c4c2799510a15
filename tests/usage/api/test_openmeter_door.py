"""`POST /api/v1/events`, as OpenMeter has it: 204, or 400 with nothing recorded."""

from decimal import Decimal
from typing import Any

import pytest
import simplejson
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from billing.models import LedgerAccount, LedgerEntry
from tests import factories
from tests.conftest import Api
from tests.hostile import JSON, RAW, SHARP, TEXT
from tests.properties import search
from tests.usage.metering.batches import balance, usage_entries
from tests.usage.metering.cloudevents import BATCH, EVENTS, ONE, OPENMETER, cloudevent, send
from usage.models import EndpointRollup, UsageEvent, UsageRollup


def books() -> list[int]:
    """How many rows there are of whatever an event moves."""
    return [model.objects.count() for model in (UsageEvent, UsageRollup, EndpointRollup, LedgerEntry, LedgerAccount)]


def pointers(answer: Any) -> list[str]:
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    return [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("kind", ["", "application/json"])
@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: [event]])
def test_it_takes_one_and_batches_also_as_json(gateway: Api, funded: Organization, kind: str, wrap: Any) -> None:
    answer = send(gateway, OPENMETER, wrap(cloudevent(funded, type="sms", data={"quantity": 3})), kind)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [amount for _, amount in usage_entries(funded)] == [-3 * Decimal("0.01")]


def test_duplicates_are_fine_and_count_once(gateway: Api, funded: Organization) -> None:
    batch = [cloudevent(funded), cloudevent(funded)]
    for sent in (batch, batch, [*batch, batch[0]]):
        assert send(gateway, OPENMETER, sent).status_code == 204
    assert balance(funded) == 100 - Decimal("0.002")


def test_both_doors_know_the_same_identities(gateway: Api, funded: Organization) -> None:
    body = cloudevent(funded)
    assert send(gateway, OPENMETER, body).status_code == 204
    assert send(gateway, EVENTS, body).json()["duplicate"] == 1


def test_an_empty_batch_is_nothing(gateway: Api) -> None:
    assert send(gateway, OPENMETER, []).status_code == 204


def test_of_a_batch_with_bad_ones_nothing_is_recorded_and_each_is_pointed_to(
    gateway: Api, funded: Organization
) -> None:
    bad: list[dict[str, Any]] = [
        {"subject": "acct_0000000000000000"},
        {"source": ...},
        {"type": "fax"},
        {"data": {"quantity": -1}},
        {"time": "9999-01-01T00:00:00Z"},
        {"data": []},
    ]
    batch = [cloudevent(funded), *(cloudevent(funded, **attributes) for attributes in bad), 7, cloudevent(funded)]
    before = books()
    answer = send(gateway, OPENMETER, batch)
    assert pointers(answer) == [
        *("/1/subject", "/2/source", "/3/type", "/4/data/quantity", "/5/time", "/6/data"),
        "/7",
    ]
    assert answer.json()["detail"] == "7 of 9 events can't be recorded, so none was."
    assert answer.json()["errors"][1]["detail"] == "Required."
    assert books() == before
    assert balance(funded) == 100


def test_a_bad_one_by_itself_is_pointed_to_without_an_index(gateway: Api, funded: Organization) -> None:
    assert pointers(send(gateway, OPENMETER, cloudevent(funded, type="fax"))) == ["/type"]
    assert pointers(send(gateway, OPENMETER, cloudevent(funded, type="fax"), "application/json")) == ["/type"]


def test_what_was_refused_may_be_sent_again_mended(gateway: Api, funded: Organization) -> None:
    good, bad = cloudevent(funded), cloudevent(funded, type="fax")
    assert send(gateway, OPENMETER, [good, bad], idempotency_key="k").status_code == 400
    assert send(gateway, OPENMETER, [good, {**bad, "type": "sms"}], idempotency_key="k").status_code == 204
    assert balance(funded) == 100 - Decimal("0.011")


def test_a_retry_with_an_idempotency_key_is_replayed(gateway: Api, funded: Organization) -> None:
    first, again = (send(gateway, OPENMETER, [cloudevent(funded, id="x")], idempotency_key="k") for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ONE, []), (BATCH, {}), ("application/json", "7"), ("application/json", "null"), (ONE, "{"),
        ("application/json", [{}] * 1001), (BATCH, [{}] * 1001),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused(gateway: Api, kind: str, body: Any) -> None:
    assert send(gateway, OPENMETER, body, kind).status_code == 400


@pytest.mark.parametrize("kind", ["application/cloudevents+xml", "text/plain"])
def test_other_media_types_are_not_taken(gateway: Api, kind: str) -> None:
    assert send(gateway, OPENMETER, "{}", kind).status_code == 415


def test_binary_mode_is_refused(gateway: Api, funded: Organization) -> None:
    answer = send(gateway, OPENMETER, "{}", "application/json", ce_specversion="1.0", ce_id="x", ce_source="a")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(("beyond", "status"), [(0, 204), (1, 413)])
def test_a_body_is_limited_to_4_mib(gateway: Api, beyond: int, status: int) -> None:
    assert send(gateway, OPENMETER, "[]".ljust((4 << 20) + beyond), BATCH).status_code == status


def test_it_is_for_platform_keys_alone(api: Any, anonymous: Api, alice: Any, funded: Organization) -> None:
    _, secret = factories.key(funded, created_by=alice)
    before = books()
    assert send(anonymous, OPENMETER, cloudevent(funded)).status_code == 401
    for credential in (alice, secret):
        answer = send(api(credential), OPENMETER, cloudevent(funded))
        assert (answer.status_code, answer.json()["code"]) == (403, "platform_key_required")
    assert books() == before


ATTRIBUTES = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "data_base64"]
MEMBERS = ["quantity", "endpoint", "status", "hold", "other"]
STRANGE = JSON | st.dictionaries(st.sampled_from(MEMBERS), JSON | TEXT | st.sampled_from(SHARP), max_size=4)


@search(100)
@given(
    strange=st.lists(st.dictionaries(st.sampled_from(ATTRIBUTES), STRANGE, max_size=3) | JSON, max_size=4),
    kind=st.sampled_from([BATCH, "application/json"]),
)
def test_whatever_is_sent_both_doors_stand_and_nothing_is_half_done(
    gateway: Api, funded: Organization, strange: list[Any], kind: str
) -> None:
    """Either all of it is recorded or nothing, and both endpoints agree on what is valid."""
    good = [cloudevent(funded), cloudevent(funded)]
    batch = [
        good[0],
        *({**cloudevent(funded), **item} if isinstance(item, dict) else item for item in strange),
        good[1],
    ]
    text = simplejson.dumps(batch, allow_nan=True)
    for number in RAW:
        text = text.replace(f'"@{number}@"', number)
    with transaction.atomic():
        before = books()
        each = send(gateway, EVENTS, text, BATCH)
        transaction.set_rollback(True)
    with transaction.atomic():
        answer = send(gateway, OPENMETER, text, kind)
        after = books()
        transaction.set_rollback(True)
    if each.status_code != 200:  # what is not JSON
        assert (each.status_code, answer.status_code) == (400, 400)
        return
    assert answer.status_code == (400 if each.json()["rejected"] else 204)
    assert (after == before) is (answer.status_code == 400)
    assert after[0] == before[0] + (each.json()["accepted"] if answer.status_code == 204 else 0)
