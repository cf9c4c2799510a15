"""Starts tasks. A task is only a nudge: the queue is rows, and a sweep picks up whatever no nudge has started."""

import time
from typing import Any

import structlog
from celery import current_app
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger()
PAUSE_SECONDS = 10
_down_until = 0.0  # by the monotonic clock of this process


def nudge(task: str, *args: str) -> None:
    """Starts the task of this name after the commit. If the broker is down or hangs, the sweep does the work later.

    Then nobody asks it for some seconds: a request would wait a second for each task.
    """

    def publish() -> None:
        global _down_until
        if time.monotonic() < _down_until:
            return
        try:
            current_app.send_task(task, args)
        except OperationalError as error:
            _down_until = time.monotonic() + PAUSE_SECONDS
            log.warning("task not published", task=task, error=str(error))

    if not _is_registered((task, args)):
        publish.call = task, args  # type: ignore[attr-defined]
        transaction.on_commit(publish)


def tasks_waiting() -> int | None:
    """Tasks in the queues that the settings name; None if the broker doesn't answer.

    Declaring a queue, as a worker does, tells its length. A passive declaration doesn't find those of Redis, because
    kombu leaves out their prefix.
    """
    with current_app.connection_for_read() as connection:
        unreachable: tuple[type[BaseException], ...] = (*connection.connection_errors, OperationalError)
        try:
            channel = connection.channel()
            declared: list[Any] = [queue(channel).queue_declare() for queue in current_app.amqp.queues.values()]
            return sum(int(queue.message_count) for queue in declared)
        except unreachable:
            return None


def _is_registered(call: tuple[str, tuple[str, ...]]) -> bool:
    """Whether this transaction will make the same nudge anyway, even if the caller's savepoints are rolled back."""
    connection = connections[DEFAULT_DB_ALIAS]
    kept = set(connection.savepoint_ids)
    return any(getattr(hook, "call", None) == call and saves <= kept for saves, hook, *_ in connection.run_on_commit)
