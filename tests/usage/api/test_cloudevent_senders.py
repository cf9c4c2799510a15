"""Bodies as known senders of CloudEvents make them, at the door of OpenMeter's clients."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization
from tests.conftest import Api
from tests.usage.metering.cloudevents import BATCH, ONE, OPENMETER, send
from usage.models import UsageEvent


def moment(timespec: str) -> str:
    return (timezone.now() - timedelta(minutes=1)).isoformat(timespec=timespec).replace("+00:00", "Z")


def kong(subject: str, number: int = 1) -> dict[str, Any]:
    """A request that Kong's metering plugin saw, with an attribute that its operator chose."""
    return {
        "specversion": "1.0",
        "id": f"5c10fade-1c9e-4d6c-8275-{number:012}",
        "source": "kong",
        "type": "requests",
        "datacontenttype": "application/json",
        "time": moment("milliseconds"),
        "subject": subject,
        "data": {"method": "GET", "route": "orders", "service": "shop", "status_code": 200, "department": None},
    }


def collector(subject: str) -> dict[str, Any]:
    """The format of a collector in Go: nanoseconds, numbers as text, a schema that is null."""
    data = {"duration_seconds": "12", "pod": "api-0", "tokens": "3.5"}
    time = moment("microseconds").replace("Z", "123Z")
    return {**kong(subject), "source": "kubernetes-api", "time": time, "dataschema": None, "data": data}


def sdk(subject: str) -> dict[str, Any]:
    """What the SDKs of CloudEvents write: an offset, extension attributes, and any JSON type of data."""
    extensions = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "sequence": "7"}
    time = moment("microseconds").replace("Z", "+00:00")
    kind = {"datacontenttype": "application/vnd.acme+json", "dataschema": "https://acme.example/request.json"}
    return {**kong(subject), **extensions, **kind, "source": "https://acme.example/api", "time": time}


@pytest.mark.parametrize("make", [kong, collector, sdk])
@pytest.mark.parametrize("kind", [ONE, f"{ONE}; charset=utf-8", "Application/CloudEvents+JSON", "application/json"])
def test_one_in_a_body(gateway: Api, funded: Organization, make: Any, kind: str) -> None:
    event = make(funded.public_id)
    for _ in range(2):  # the queue of a sender repeats what it has no answer to
        assert send(gateway, OPENMETER, event, kind).status_code == 204
    stored = UsageEvent.objects.get()
    assert (stored.organization, stored.quantity, stored.credits) == (funded, 1, Decimal("0.001"))
    assert stored.properties == event["data"]


@pytest.mark.parametrize("kind", [BATCH, f"{BATCH}; charset=utf-8", "application/json"])
def test_a_batch(gateway: Api, funded: Organization, kind: str) -> None:
    batch = [kong(funded.public_id), kong(funded.public_id, 2), collector(funded.public_id), sdk(funded.public_id)]
    assert send(gateway, OPENMETER, batch, kind).status_code == 204
    assert UsageEvent.objects.count() == 4


def test_a_request_of_nobody_is_named_and_nothing_of_its_batch_is_recorded(gateway: Api, funded: Organization) -> None:
    """Kong's plugin calls somebody that it doesn't know `unknown`."""
    answer = send(gateway, OPENMETER, [kong(funded.public_id), kong("unknown", 2)])
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, ["/1/subject"])
    assert not UsageEvent.objects.exists()
