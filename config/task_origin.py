"""A task's log lines have the id of the request that started it."""

from typing import Any

import structlog
from celery import signals

HEADER = "tollgate_request_id"
REQUEST_ID = "request_id"


def request_id(task: Any) -> str:
    """Empty for a task that beat or a command started."""
    return str((task.request.headers or {}).get(HEADER, ""))


def connect() -> None:
    signals.before_task_publish.connect(publish)
    signals.task_prerun.connect(begin)
    signals.task_postrun.connect(end)


def publish(headers: dict[str, Any], **_: Any) -> None:
    if own := structlog.contextvars.get_contextvars().get(REQUEST_ID):
        headers[HEADER] = own


def begin(task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name)
    if own := request_id(task):
        structlog.contextvars.bind_contextvars(**{REQUEST_ID: own})


def end(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", REQUEST_ID)
