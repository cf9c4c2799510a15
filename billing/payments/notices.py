"""Emails about payments, to the billing account's address, and alarms for the company's operators."""

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from accounts import emails
from billing.models import BillingAccount

log = structlog.get_logger()


def mail(organization_id: UUID, subject: str, body: str, *, page: str, **facts: Any) -> None:
    """An email to whoever pays, after the commit, as `emails.write` takes it, and the address of a page.

    Closed accounts get no emails.
    """
    accounts = BillingAccount.objects.filter(organization=organization_id).open()
    if account := accounts.select_related("organization").first():
        emails.write(subject, body, page, to=account.email, facts=facts, organization=account.organization)


def alarm(subject: str, body: str, **details: Any) -> None:
    """Something that an operator has to look at: an error in the log, and an email if OPERATOR_EMAIL is set."""
    log.error(subject, **details)
    if settings.OPERATOR_EMAIL:
        emails.queue("message", to=settings.OPERATOR_EMAIL, context={"subject": subject, "body": body})
