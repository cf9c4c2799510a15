"""Emails about payments, to the billing account's address, and alarms for the company's operators."""

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from accounts import emails
from billing.models import BillingAccount

log = structlog.get_logger()


def mail(organization_id: UUID, subject: str, body: str) -> None:
    """An email to whoever pays, after the commit. Nobody is written to whose account is closed."""
    account = BillingAccount.objects.filter(organization=organization_id).open().first()
    if account:
        emails.queue("message", to=account.email, context={"subject": subject, "body": body})


def alarm(subject: str, body: str, **details: Any) -> None:
    """Something that an operator has to look at: an error in the log, and an email if OPERATOR_EMAIL is set."""
    log.error(subject, **details)
    if settings.OPERATOR_EMAIL:
        emails.queue("message", to=settings.OPERATOR_EMAIL, context={"subject": subject, "body": body})
