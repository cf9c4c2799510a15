from celery import shared_task

from billing import payments


@shared_task
def settle_pending_payments() -> int:
    return payments.settle_pending()
