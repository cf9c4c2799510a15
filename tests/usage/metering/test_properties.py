"""However the same events come, in one batch or many, in whatever order and however often: the books are the same."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from tests import factories
from tests.properties import search
from tests.usage.metering.batches import balance, event
from tests.usage.metering.books import books, of, sent
from usage import metering
from usage.models import UsageEvent
from usage.storage import reconciliation


def charged(batch: list[Any]) -> Decimal:
    return sum((result.credits for result in metering.record(batch).results), Decimal(0))


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
