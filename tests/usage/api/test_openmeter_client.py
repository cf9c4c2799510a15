"""The official, unmodified OpenMeter client for Python against a live server."""

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent
from corehttp.exceptions import ClientAuthenticationError, HttpResponseError
from openmeter import Client
from openmeter.aio import Client as AsyncClient
from openmeter.models import Event

from accounts.models import Organization
from tests import factories
from tests.billing.api import plivo_server
from tests.usage.metering.batches import balance, usage_entries
from usage.models import UsageEvent


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with plivo_server.running() as address:
        yield address


@pytest.fixture
def organization(committed: None) -> Organization:
    organization = factories.organization()
    factories.credit(organization, 100)
    return organization


@pytest.fixture
def client(address: str, committed: None) -> Any:
    return Client(endpoint=address, token=factories.platform_key())


def event(organization: Organization, **attributes: Any) -> Event:
    """As the client's own examples make it."""
    defaults = {
        "id": str(uuid4()),
        "source": "my-app",
        "specversion": "1.0",
        "type": "sms",
        "subject": organization.public_id,
        "time": datetime.now(UTC),
        "data": {"quantity": 2, "model": "gpt-4o"},
    }
    return Event(**{**defaults, **attributes})


def refusal(call: Any, *args: Any) -> Any:
    with pytest.raises(HttpResponseError) as caught:
        call(*args)
    return caught.value


def test_an_event_is_ingested(client: Any, organization: Organization) -> None:
    moment = datetime.now(UTC).replace(microsecond=0)
    sent = event(organization, time=moment)
    assert client.events.ingest_event(sent) is None
    assert [amount for _, amount in usage_entries(organization)] == [Decimal("-0.02")]
    stored = UsageEvent.objects.of(organization).get()
    assert (stored.id, stored.quantity) == (f"my-app\u00a0{sent.id}", 2)
    assert (stored.occurred_at, stored.properties) == (moment, {"model": "gpt-4o"})


def test_a_retry_counts_nothing_twice(client: Any, organization: Organization) -> None:
    sent = [event(organization) for _ in range(3)]
    for _ in range(2):
        client.events.ingest_events(sent)
    assert [amount for _, amount in usage_entries(organization)] == [Decimal("-0.06")]


def test_batches_and_mere_json_are_ingested(client: Any, organization: Organization) -> None:
    client.events.ingest_events([event(organization) for _ in range(3)])
    client.events.ingest_events_json([event(organization), event(organization)])
    client.events.ingest_events_json(event(organization))
    assert [amount for _, amount in usage_entries(organization)] == [-Decimal(n) / 100 for n in (6, 4, 2)]


def test_a_key_is_a_subject(client: Any, organization: Organization) -> None:
    key, _ = factories.key(organization)
    client.events.ingest_event(event(organization, subject=key.public_id))
    assert UsageEvent.objects.of(organization).get().key == key


def test_what_is_optional_may_be_left_out_or_null(client: Any, organization: Organization) -> None:
    client.events.ingest_event(event(organization, time=None, data=None, datacontenttype=None, dataschema=None))
    needed = {name: event(organization)[name] for name in ("id", "source", "specversion", "type", "subject")}
    client.events.ingest_event(Event(needed))
    client.events.ingest_event({**needed, "id": str(uuid4()), "time": datetime.now(UTC)})
    assert balance(organization) == Decimal("99.97")


def test_an_event_of_the_cloudevents_package_is_ingested(client: Any, organization: Organization) -> None:
    attributes = {"type": "sms", "source": "my-app", "subject": organization.public_id}
    client.events.ingest_event(to_json(CloudEvent(attributes, {"quantity": 3})))
    assert balance(organization) == Decimal("99.97")


def test_of_a_batch_with_a_bad_one_nothing_is_ingested(client: Any, organization: Organization) -> None:
    sent = [event(organization), event(organization, type="fax"), event(organization, data={"quantity": -1})]
    error = refusal(client.events.ingest_events, sent)
    assert (error.status_code, error.model.title) == (400, "Bad request")
    assert error.model.detail == "2 of 3 events can't be recorded, so none was."
    assert [item["pointer"] for item in error.response.json()["errors"]] == ["/1/type", "/2/data/quantity"]
    assert balance(organization) == 100


def test_a_token_that_is_none_is_an_authentication_error(address: str, organization: Organization) -> None:
    for token in ("sk_live_" + "0" * 38, None):
        stranger = Client(endpoint=address, token=token)
        with pytest.raises(ClientAuthenticationError):
            stranger.events.ingest_event(event(organization))
    assert balance(organization) == 100


def test_a_customers_key_is_forbidden(address: str, organization: Organization) -> None:
    _, token = factories.key(organization)
    error = refusal(Client(endpoint=address, token=token).events.ingest_event, event(organization))
    assert (error.status_code, error.model.detail) == (403, "This needs a platform key.")
    assert balance(organization) == 100


def run(address: str, calls: Any) -> None:
    """`calls(client)` by the asynchronous client."""

    async def go() -> None:
        async with AsyncClient(endpoint=address, token=token) as client:
            await calls(client)

    token = factories.platform_key()
    coroutine: Coroutine[Any, Any, None] = go()
    asyncio.run(coroutine)


def test_the_asynchronous_client_ingests_as_well(address: str, organization: Organization) -> None:
    async def calls(client: Any) -> None:
        sent = [event(organization) for _ in range(5)]
        await asyncio.gather(*(client.events.ingest_event(event) for event in sent))
        await client.events.ingest_events([*sent, event(organization)])
        await client.events.ingest_events_json(event(organization))

    run(address, calls)
    assert balance(organization) == Decimal("99.86")
    assert UsageEvent.objects.of(organization).count() == 7


def test_the_asynchronous_client_is_told_what_is_wrong(address: str, organization: Organization) -> None:
    async def calls(client: Any) -> None:
        with pytest.raises(HttpResponseError) as caught:
            await client.events.ingest_events([event(organization), event(organization, type="fax")])
        assert caught.value.status_code == 400

    run(address, calls)
    assert balance(organization) == 100
