"""Starts tasks. A task is only a nudge: the queue is rows, and a sweep picks up whatever no nudge has started."""

import structlog
from celery import current_app
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger()


def nudge(task: str, *args: str) -> None:
    """Starts the task of this name after the commit. If the broker is down, the sweep does the work later."""

    def publish() -> None:
        try:
            current_app.send_task(task, args)
        except OperationalError as error:
            log.warning("task not published", task=task, error=str(error))

    if not _is_registered((task, args)):
        publish.call = task, args  # type: ignore[attr-defined]
        transaction.on_commit(publish)


def _is_registered(call: tuple[str, tuple[str, ...]]) -> bool:
    """Whether this transaction will make the same nudge anyway, even if the caller's savepoints are rolled back."""
    connection = connections[DEFAULT_DB_ALIAS]
    kept = set(connection.savepoint_ids)
    return any(getattr(hook, "call", None) == call and saves <= kept for saves, hook, *_ in connection.run_on_commit)
