"""The broker of the tasks: Redis, or RabbitMQ (RABBITMQ_URL names one for the tests)."""

import os
from typing import Any

import pytest
from celery import current_app

from accounts.lib import broker
from config import brokers
from tests import factories

RABBITMQ_URL = os.environ.get("RABBITMQ_URL", "")
needs_rabbitmq = pytest.mark.skipif(not RABBITMQ_URL, reason="set RABBITMQ_URL=amqp://… to a RabbitMQ for tests")


def test_a_socket_of_redis_is_named_as_celery_does() -> None:
    assert brokers.of_redis("unix:///run/redis.sock?db=3") == "redis+socket:///run/redis.sock?virtual_host=3"
    assert brokers.of_redis("redis://redis/0") == "redis://redis/0"


def connect(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = brokers.transport_options(url, seconds=2)
    monkeypatch.setitem(current_app.conf, "broker_transport_options", options)
    monkeypatch.setitem(current_app.conf, "broker_url", url)
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
    monkeypatch.setattr(current_app, "_pool", None)


@pytest.mark.parametrize("url", [None, pytest.param(RABBITMQ_URL, marks=needs_rabbitmq)])
def test_tasks_that_wait_are_counted(
    db: None, url: str | None, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    own = factories.unique("celery")
    if url:
        connect(url, monkeypatch)
    else:
        monkeypatch.setitem(current_app.conf.broker_transport_options, "global_keyprefix", f"{own}:")
    before = broker.tasks_waiting()
    with django_capture_on_commit_callbacks(execute=True):
        broker.nudge("accounts.tasks.publish_events")
        broker.nudge("accounts.tasks.deliver_webhooks")
    assert before is not None
    assert broker.tasks_waiting() == before + 2


def test_without_a_broker_their_number_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    connect("amqp://127.0.0.1:9//", monkeypatch)
    assert broker.tasks_waiting() is None
