"""However the same events come, in one batch or many, in whatever order and however often: the books are the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from tests import factories
from tests.properties import search
from tests.usage.metering.batches import balance, event, usage_entries
from usage import metering
from usage.models import EndpointRollup, UsageEvent, UsageRollup
from usage.storage import reconciliation

START = datetime(2015, 5, 17, tzinfo=UTC)

sent = st.lists(
    st.fixed_dictionaries(
        {
            "meter": st.sampled_from(["requests", "sms", "voice"]),
            "quantity": st.decimals(min_value=0, max_value=1000, places=9),
            "endpoint": st.sampled_from(["", "/a", "/b"]),
            "status": st.sampled_from([200, 500]),
            "occurred_at": st.integers(0, 7200).map(lambda s: (START + timedelta(seconds=s)).isoformat()),
        }
    ),
    min_size=1,
    max_size=12,
)


def books(organization: Organization) -> dict[str, Any]:
    """All that anyone can read of the usage of an organization, but for the number of entries."""
    rollup = ("bucket", "meter_id", "requests", "failed", "quantity", "credits")
    return {
        "balance": balance(organization),
        "entries": sum(amount for _, amount in usage_entries(organization)),
        "events": set(UsageEvent.objects.of(organization).values_list("id", "credits", "quantity", "occurred_at")),
        "rollups": set(UsageRollup.objects.of(organization).values_list(*rollup)),
        "by endpoint": set(EndpointRollup.objects.of(organization).values_list(*rollup, "endpoint")),
    }


def charged(batch: list[Any]) -> Decimal:
    return sum((result.credits for result in metering.record(batch).results), Decimal(0))


def of(organization: Organization, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event(organization, **{"id": f"e{n}", **fields}) for n, fields in enumerate(batch)]


@search(25)
@given(batch=sent, data=st.data())
def test_shuffled_split_and_repeated_they_are_the_same_books(db: None, batch: list[Any], data: st.DataObject) -> None:
    whole, scattered = factories.organization(), factories.organization()
    metering.record(of(whole, batch))
    rest = data.draw(st.permutations(of(scattered, batch)))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        part, rest = rest[:size], rest[size:]
        metering.record(part + data.draw(st.lists(st.sampled_from(part), max_size=3)))
    assert books(whole) == books(scattered)


@search(15)
@given(batch=sent)
def test_a_replay_of_everything_changes_nothing(db: None, batch: list[Any]) -> None:
    organization = factories.organization()
    metering.record(of(organization, batch))
    before = books(organization)
    replay = metering.record(of(organization, batch[::-1])[::-1])
    assert (replay.count("accepted"), replay.credits) == (0, Decimal(0))
    assert books(organization) == before


@search(15)
@given(batch=sent)
def test_what_is_answered_is_what_is_debited(db: None, batch: list[Any]) -> None:
    organization = factories.organization()
    answered = charged(of(organization, batch))
    assert answered == -balance(organization) == sum(event[1] for event in books(organization)["events"])


@search(15)
@given(batch=sent, price=st.decimals(min_value=0, max_value=10, places=9))
def test_books_made_of_anything_reconcile(db: None, batch: list[Any], price: Decimal) -> None:
    root = factories.organization()
    child = Organization.objects.create_child(root, name="Child")
    metering.record([event((root, child)[n % 2], **fields) for n, fields in enumerate(batch)])
    assert reconciliation.run() == []


printable = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \\\"{},'%$"), max_size=20)


@search(50)
@given(
    ids=st.lists(printable.filter(bool), unique=True, min_size=1, max_size=4),
    endpoint=printable,
    properties=st.dictionaries(
        printable, printable | st.just("NULL") | st.text(st.characters(codec="utf-8")), max_size=3
    ),
)
def test_texts_are_stored_to_the_letter(db: None, ids: list[str], endpoint: str, properties: dict[str, str]) -> None:
    organization = factories.organization()
    properties = {key: value.replace("\0", "") for key, value in properties.items()}
    metering.record([event(organization, id=id, endpoint=endpoint, properties=properties) for id in [*ids, "NULL"]])
    stored = UsageEvent.objects.of(organization).values_list("id", "endpoint", "properties")
    assert {id: rest for id, *rest in stored} == {id: [endpoint, properties] for id in {*ids, "NULL"}}
