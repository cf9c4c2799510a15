"""Special addresses, rebinding and hostile receivers, each through the real worker, beside a good receiver."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import Any

import pytest
from django.utils import timezone

from accounts import events
from accounts.events import publication
from accounts.models import Attempt, WebhookEndpoint
from accounts.webhooks import outbox, sending, signing, worker
from tests import factories
from tests.accounts.webhooks import receivers
from tests.accounts.webhooks.inbox import inbox
from tests.accounts.webhooks.test_sending import SPECIAL

SECONDS = 1.5
TYPE = "organization.resumed"
HOSTILE = {
    receivers.silent: (None, "timeout"),
    receivers.dripping_header: (None, "timeout"),
    receivers.endless_continue: (None, "timeout"),
    receivers.endless_headers: (None, "not_http"),
    receivers.no_http: (None, "not_http"),
    receivers.dripping_body: (200, ""),
    receivers.endless_body: (200, ""),
    receivers.gzip_bomb: (200, ""),
    receivers.redirecting: (302, ""),
}


@pytest.fixture(autouse=True)
def _quiet(committed: None, settings: Any) -> Iterator[None]:
    settings.BASE_URL = "https://tollgate.example.com"
    WebhookEndpoint.objects.all().delete()
    yield
    WebhookEndpoint.objects.all().delete()


def work(urls: dict[str, str]) -> dict[str, Attempt]:
    """The attempts of one event, by the names of the endpoints."""
    organization = factories.organization("Hostile")
    for name, url in urls.items():
        secret = signing.seal(signing.make_secret())
        fields = {"event_types": [TYPE], "api_version": "v1", "description": name}
        WebhookEndpoint.objects.create(organization=organization, url=url, secret=secret, **fields)
    events.record(organization.pk, TYPE, {}, timezone.now())
    publication.publish_due(outbox.fan_out)
    assert worker.run(seconds=4) == len(urls)
    rows = Attempt.objects.filter(delivery__endpoint__organization=organization)
    return {row.delivery.endpoint.description: row for row in rows.select_related("delivery__endpoint")}


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """A name server that gives these answers in turn, the last one for ever; the names that it was asked for."""
    names: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        names.append(host)
        answer = answers[min(len(names), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    monkeypatch.setattr(sending, "getaddrinfo", getaddrinfo)
    return names


def test_no_special_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in the URL, and as what the name server answers."""
    connected: list[Any] = []
    monkeypatch.setattr("httpcore2.SyncBackend.connect_tcp", lambda *call, **_: connected.append(call))
    addresses = {f"special-{number}.example.com": text for number, text in enumerate(SPECIAL)}

    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (addresses[host.rstrip(".")], port))]

    monkeypatch.setattr(sending, "getaddrinfo", getaddrinfo)
    literal = {text: f"https://[{text}]/" if ":" in text else f"https://{text}/" for text in SPECIAL}
    attempts = work({**literal, **{name: f"https://{name}/" for name in addresses}})
    assert len(attempts) == 2 * len(SPECIAL)
    assert {attempt.error for attempt in attempts.values()} == {"address_refused"}
    assert not connected


def test_a_second_answer_of_the_name_server_leads_nowhere(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    names = resolving(monkeypatch, "127.0.0.1", "169.254.169.254")
    with inbox() as box:
        url = box.url.replace("127.0.0.1", "rebinding.example.com")
        [first] = work({"rebinding": url}).values()
        WebhookEndpoint.objects.all().delete()
        [second] = work({"rebinding": url}).values()
    assert (first.status, first.address, len(box.requests)) == (200, "127.0.0.1", 1)
    assert (second.status, second.error) == (None, "address_refused")
    assert names == ["rebinding.example.com."] * 2


def test_hostile_receivers_cost_neither_time_nor_memory(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(sending, "post", partial(sending.post, seconds=SECONDS))
    receivers.bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ExitStack() as stack, inbox() as good:
        urls = {behave.__name__: stack.enter_context(receivers.receiver(behave))[0] for behave in HOSTILE}
        began = monotonic()
        attempts = work({**urls, "good": good.url})
        took = monotonic() - began
    assert {name: (row.status, row.error) for name, row in attempts.items()} == {
        **{behave.__name__: expected for behave, expected in HOSTILE.items()},
        "good": (200, ""),
    }
    assert took < SECONDS + 3
    assert max(len(row.answer) for row in attempts.values()) <= sending.ANSWER_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10
