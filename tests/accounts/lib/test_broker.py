"""Nudges: a broker that is down or hangs costs a request its time once, and then nobody asks it for some seconds."""

import time
from typing import Any

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from accounts.lib import broker


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were sent to a broker that is down."""
    tasks: list[str] = []

    def fail(task: str, args: Any) -> None:
        tasks.append(task)
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", fail)
    monkeypatch.setattr(broker, "_down_until", 0.0)
    return tasks


def test_a_broker_that_is_down_is_asked_again_after_some_seconds(
    db: None, published: list[str], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def nudge(task: str) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            broker.nudge(task)

    nudge("first")
    nudge("second")
    assert published == ["first"]
    monkeypatch.setattr(broker, "_down_until", time.monotonic())
    nudge("third")
    assert published == ["first", "third"]
