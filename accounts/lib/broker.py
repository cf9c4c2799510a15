"""Starting tasks. A task is only a nudge: its queue is rows, and a sweep does what no nudge has started."""

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger()


def nudge(task: str) -> None:
    """Starts the task of this name once the transaction is committed. Without a broker it is left to the sweep."""

    def publish() -> None:
        try:
            current_app.send_task(task)
        except OperationalError as error:
            log.warning("task not published", task=task, error=str(error))

    transaction.on_commit(publish)
