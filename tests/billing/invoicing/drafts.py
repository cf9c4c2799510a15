"""Drafts of papers for tests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from billing.invoicing import papers
from billing.invoicing.papers import Draft, Line
from billing.ledger import posting
from billing.models import Invoice

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def line(amount: int | str, description: str = "SMS") -> Line:
    return Line(description, "sms", None, Decimal(amount), Decimal(1), Decimal(amount))


def draft(payer: Organization, *amounts: int | str, kind: str = "invoice", **fields: Any) -> Draft:
    lines = [line(amount) for amount in amounts]
    fields = {"currency": "EUR", "period_start": NOVEMBER, "period_end": DECEMBER, "lines": lines, **fields}
    return Draft(payer=payer, kind=kind, **fields)


@transaction.atomic
def issue(payer: Organization, *amounts: int | str, now: datetime = DECEMBER, **fields: Any) -> Invoice:
    posting.lock([payer.pk], timezone.now())
    return papers.issue(draft(payer, *amounts, **fields), now=now)


@transaction.atomic
def credit(invoice: Invoice, amount: str, now: datetime = DECEMBER) -> Invoice:
    posting.lock([invoice.organization_id], timezone.now())
    return papers.credit(invoice, Decimal(amount), "Goodwill", now=now)
