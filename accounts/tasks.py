from celery import shared_task
from django.utils import timezone

from accounts import idempotency
from accounts.models import TokenFamily


@shared_task
def purge_idempotency_records() -> int:
    return idempotency.purge()


@shared_task
def purge_token_families() -> int:
    return TokenFamily.objects.filter(expires_at__lte=timezone.now()).delete()[0]
