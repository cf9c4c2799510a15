from typing import Any

import structlog
from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from accounts import idempotency, invitations
from accounts.models import TokenFamily

log = structlog.get_logger()


def nudge(task: Any, *args: str) -> None:
    """Start a task once this transaction is committed. Without a broker it is left to the task's sweep."""

    def publish() -> None:
        try:
            task.delay(*args)
        except BrokerError as error:
            log.warning("task not published", task=task.name, error=str(error))

    transaction.on_commit(publish)


@shared_task
def purge_idempotency_records() -> int:
    return idempotency.purge()


@shared_task
def purge_token_families() -> int:
    return TokenFamily.objects.filter(expires_at__lte=timezone.now()).delete()[0]


@shared_task
def send_invitation(invitation_id: str) -> bool:
    return invitations.deliver(invitation_id)


@shared_task
def send_unsent_invitations() -> int:
    return invitations.deliver_unsent()
