"""POST /v1/usage/events/{id}/void: whatever the id is, once, and for the company alone."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from time_machine import travel

from accounts.models import Organization
from billing.models import Grant, LedgerEntry
from tests import factories
from tests.conftest import Api
from tests.usage.metering.batches import balance, event, record
from tests.usage.metering.cloudevents import EVENTS, cloudevent, send
from usage.models import EventVoid


def void(gateway: Api, owner: Organization, id: str = "x", key: str = "", **fields: Any) -> Any:
    body = {"organization": owner.public_id, "reason": "Not delivered", **fields}
    headers = {"Idempotency_Key": key} if key else {}
    return gateway.post(f"/v1/usage/events/{quote(id, safe='')}/void", body, **headers)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_answer_says_what_came_back_and_where(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x", quantity=5))
    answer = void(gateway, funded)
    assert answer.status_code == 201
    body = answer.json()
    assert body.pop("voided_at").endswith("Z")
    named = {"event": "x", "organization": funded.public_id, "reason": "Not delivered"}
    assert body == {**named, "credits": 0.005, "entry": 3}
    entry = LedgerEntry.objects.of(funded).get(seq=3)
    assert (entry.amount, entry.actor.startswith("key_")) == (Decimal("0.005"), True)


def test_what_was_charged_nothing_has_no_entry(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x", quantity=0))
    body = void(gateway, funded).json()
    assert (body["entry"], body["credits"]) == (None, 0)


def test_the_second_time_is_409(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x"))
    void(gateway, funded)
    answer = void(gateway, funded)
    assert (*refusal(answer), answer.json()["entry"]) == (409, "already_voided", 3)
    assert balance(funded) == 100


def test_an_idempotency_key_gets_the_first_answer_again(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x"))
    first, again = (void(gateway, funded, key="k") for _ in range(2))
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (201, first.json(), "true")
    assert refusal(void(gateway, funded, reason="Another", key="k")) == (422, "idempotency_key_reused")


def test_what_is_given_back_may_expire(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x"))
    soon = timezone.now() + timedelta(days=3)
    body = void(gateway, funded, expires_at=soon.isoformat()).json()
    assert Grant.objects.get(account=funded.pk, entry_seq=body["entry"]).expires_at == soon


def test_a_repetition_gets_the_first_answer_after_the_expiry_as_well(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x"))
    soon = timezone.now() + timedelta(minutes=5)
    first = void(gateway, funded, expires_at=soon.isoformat(), key="k")
    with travel(soon + timedelta(minutes=1)):
        again = void(gateway, funded, expires_at=soon.isoformat(), key="k")
    assert (again.status_code, again.json()) == (201, first.json())


@pytest.mark.parametrize(
    "id", ["a/b", "/", "a//void", "https://x.example/?q=1#2", "100 %", "é✓", "..x", "a+b", "x/void"]
)
def test_an_id_may_have_any_printable_characters(gateway: Api, funded: Organization, id: str) -> None:
    record(event(funded, id=id))
    assert (void(gateway, funded, id).status_code, balance(funded)) == (201, Decimal(100))


@pytest.mark.parametrize(("source", "id"), [("my-app", "1"), ("https://a.example/x", "b/c"), ("s" * 300, "i" * 900)])
def test_a_cloudevent_is_named_by_its_own_id_and_its_source(
    gateway: Api, funded: Organization, source: str, id: str
) -> None:
    send(gateway, EVENTS, cloudevent(funded, source=source, id=id))
    assert refusal(void(gateway, funded, id)) == (404, "not_found")
    answer = void(gateway, funded, id, source=source)
    assert (answer.status_code, answer.json()["event"], balance(funded)) == (201, id, Decimal(100))


def test_a_cloudevent_is_found_by_the_id_that_it_is_kept_under_as_well(gateway: Api, funded: Organization) -> None:
    send(gateway, EVENTS, cloudevent(funded, source="my-app", id="1"))
    assert void(gateway, funded, "my-app\u00a01").status_code == 201


@pytest.mark.parametrize("id", ["unknown", "a\x00b", "a\u200bb", "x" * 500])
def test_an_unknown_event_is_404(gateway: Api, funded: Organization, id: str) -> None:
    record(event(funded, id="x"))
    assert refusal(void(gateway, funded, id)) == (404, "not_found")


def test_a_foreign_organization_is_as_unknown_as_one_that_is_not(gateway: Api, funded: Organization) -> None:
    record(event(funded, id="x"))
    answers = [void(gateway, other) for other in (factories.organization(), Organization(public_id="acct_x"))]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"reason": ""}, "/reason"),
        ({"reason": "r" * 201}, "/reason"),
        ({"reason": "a\nb"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"organization": None}, "/organization"),
        ({"organization": []}, "/organization"),
        ({"source": ""}, "/source"),
        ({"source": "a\x00"}, "/source"),
        ({"source": "s" * 1001}, "/source"),
        ({"expires_at": "2001-01-01"}, "/expires_at"),
        ({"expires_at": 5}, "/expires_at"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    gateway: Api, funded: Organization, fields: dict[str, Any], pointer: str
) -> None:
    record(event(funded, id="x"))
    answer = void(gateway, funded, **fields)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not EventVoid.objects.exists()


@pytest.mark.parametrize("body", [[], "x", 7, {}])
def test_a_body_that_is_none_of_this_is_400(gateway: Api, body: Any) -> None:
    assert gateway.post("/v1/usage/events/x/void", body).status_code == 400


def test_an_owner_may_not_void(api: Any, alice: Any, funded: Organization) -> None:
    record(event(funded, id="x"))
    assert refusal(void(api(alice), funded)) == (403, "platform_key_required")
