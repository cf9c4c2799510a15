"""GET /v1/events, and that what happened stays."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import events, people
from accounts.models import Event, Organization, User
from tests import factories
from tests.attacks import run

A, B, C = "credits.low", "credits.recovered", "ledger.adjusted"
LEAF = "ledger.reversed"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def happened(organization: Organization, type: str = "organization.resumed", at: datetime = NOON, **data: Any) -> Event:
    return events.record(organization.pk, type, data, at)


def types(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [row["type"] for row in answer.json()["results"]]


def test_an_event_is_shown_as_it_was_written(api: Any, alice: User, organization: Organization) -> None:
    event = happened(organization, name="é", nested={"list": [1, None, True]})
    [shown] = api(alice).get("/v1/events").json()["results"]
    assert shown == {
        "id": event.public_id,
        "type": "organization.resumed",
        "organization": organization.public_id,
        "data": {"name": "é", "nested": {"list": [1, None, True]}},
        "context": {},
        "personal": None,
        "timestamp": "2026-03-01T12:00:00Z",
        "created_at": "2026-03-01T12:00:00Z",
        "sequence": None,
        "api_version": "v1",
        "actor": {"kind": "system", "id": None},
        "targets": [],
    }
    assert event.public_id.startswith("evt_")


@pytest.mark.parametrize("amount", ["0.1", "123456789012345.123456789", "1E-9", "-5.000000000"])
def test_amounts_are_exact(api: Any, alice: User, organization: Organization, amount: str) -> None:
    happened(organization, amount=Decimal(amount))
    assert Event.objects.get().data == {"amount": Decimal(amount)}
    text = format(Decimal(amount), "f")
    written = text.rstrip("0").rstrip(".") if "." in text else text
    assert f'"data": {{"amount": {written}}}' in api(alice).get("/v1/events").content.decode()


def test_the_newest_come_first_in_pages(api: Any, alice: User, organization: Organization) -> None:
    for name in (A, B, C):
        happened(organization, name)
    answer = api(alice).get("/v1/events?limit=2")
    assert (types(answer), answer.json()["count"]) == ([C, B], 3)
    assert types(api(alice).get("/v1/events?limit=2&offset=2")) == [A]


def test_those_beneath_are_shown_and_those_above_and_beside_are_not(
    api: Any, alice: User, organization: Organization
) -> None:
    child, sibling = (people.add_child(organization, name=name) for name in ("Child", "Sibling"))
    for node, name in ((organization, A), (child, B), (sibling, C)):
        happened(node, name)
    happened(people.add_child(child, name="Leaf"), LEAF)
    made = "organization.created"
    assert types(api(alice).get("/v1/events")) == [LEAF, made, C, B, A, made, made]
    people.switch(alice, child)
    assert types(api(alice).get("/v1/events")) == [LEAF, made, B, made]


def test_others_see_none(api: Any, charlie: User, organization: Organization) -> None:
    happened(organization)
    assert types(api(charlie).get("/v1/events")) == []


def test_they_are_filtered_by_type_and_moment(api: Any, alice: User, organization: Organization) -> None:
    for hours, name in enumerate((A, B, C)):
        happened(organization, name, NOON + timedelta(hours=hours))
    client = api(alice)
    assert types(client.get(f"/v1/events?type={B}")) == [B]
    assert types(client.get("/v1/events?from=2026-03-01T13:00:00Z")) == [C, B]
    assert types(client.get("/v1/events?from=2026-03-01&to=2026-03-01T14:00:00Z")) == [B, A]
    for query, pointer in (("to=yesterday", "/to"), ("type=no.such", "/type")):
        for path in ("/v1/events", "/v1/events/export"):
            bad = client.get(f"{path}?{query}")
            assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("billing", 403), ("developer", 403), ("viewer", 403)])
def test_they_take_the_right_to_audit(api: Any, organization: Organization, role: str, status: int) -> None:
    person = factories.user(role)
    factories.join(person, organization, role)
    people.switch(person, organization)
    assert api(person).get("/v1/events").status_code == status


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE accounts_event SET type = 'nothing.happened'",
        "UPDATE accounts_event SET created_at = created_at",
        "DELETE FROM accounts_event",
        "TRUNCATE accounts_event CASCADE",
        "TRUNCATE accounts_organization CASCADE",
    ],
)
def test_what_happened_can_not_be_rewritten(organization: Organization, attack: str) -> None:
    event = happened(organization)
    with pytest.raises(IntegrityError, match="append-only"):
        run(attack)
    assert Event.objects.get().type == event.type


def test_what_is_undone_did_not_happen(organization: Organization) -> None:
    with transaction.atomic():
        happened(organization, at=timezone.now())
        transaction.set_rollback(True)
    assert not Event.objects.exists()
