from celery import shared_task
from django.utils import timezone

from accounts import (
    closing,
    email_changes,
    email_codes,
    emails,
    idempotency,
    invitations,
    password_reset,
    sign_in_limits,
    sign_ins,
    sign_up,
    tokens,
)
from accounts.events import heads, publication
from accounts.exports import jobs
from accounts.webhooks import outbox, redelivery, worker

EMAILS = {
    invitations.TEMPLATE: invitations.email_context,
    password_reset.TEMPLATE: password_reset.email_context,
    sign_up.TEMPLATE: sign_up.email_context,
    email_changes.TEMPLATE: email_changes.email_context,
}


@shared_task
def purge_idempotency_records() -> int:
    return idempotency.purge()


@shared_task
def purge_token_families() -> int:
    now = timezone.now()
    return tokens.purge(now) + sign_ins.purge(now)


@shared_task
def purge_sign_in_failures() -> int:
    return sign_in_limits.purge()


@shared_task
def purge_email_codes() -> int:
    now = timezone.now()
    return email_codes.purge(now) + email_changes.purge(now)


@shared_task
def send_emails() -> int:
    return emails.send_due(EMAILS)


@shared_task
def publish_events() -> int:
    return publication.publish_due(outbox.fan_out)


@shared_task
def announce_seals() -> int:
    return heads.announce(timezone.now())


@shared_task
def deliver_webhooks() -> int:
    return worker.run()


@shared_task
def redeliver_webhooks() -> int:
    return redelivery.run(timezone.now())


@shared_task
def purge_deliveries() -> int:
    return outbox.purge()


@shared_task
def make_exports() -> int:
    return jobs.run(timezone.now())


@shared_task
def purge_exports() -> int:
    return jobs.purge(timezone.now())


@shared_task
def forget_organizations() -> int:
    return closing.forget(timezone.now())
