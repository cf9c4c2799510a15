"""A statement as a PDF, which `printer` prints in a process of its own."""

import json
import subprocess
import sys
from typing import Any

from django.conf import settings

from accounts.lib import languages, timezones
from accounts.models import Organization
from billing import accounts
from billing.invoicing.documents import layout
from billing.templatetags.money import aligned, amount, places, signed
from usage.reporting.statement import Statement, StatementLine

PATIENCE_SECONDS = 20


def pdf(organization: Organization, statement: Statement) -> bytes:
    fonts = [settings.INVOICE_FONTS] if settings.INVOICE_FONTS else []
    with languages.spoken("en"):  # like all papers
        paper = _data(organization, statement)
    job = json.dumps({"paper": paper, "fonts": [str(path) for path in fonts]})
    printed = subprocess.run(
        [sys.executable, "-m", "usage.reporting.printer"],
        input=job.encode(),
        capture_output=True,
        check=True,
        cwd=settings.BASE_DIR,
        timeout=PATIENCE_SECONDS,
    )
    return printed.stdout


def _data(organization: Organization, statement: Statement) -> dict[str, Any]:
    zone = timezones.zone(statement.timezone)
    start, end = (f"{moment.astimezone(zone):%-d %B %Y, %H:%M}" for moment in (statement.start, statement.end))
    account = accounts.find(organization)
    width = places([statement.opening, *(line.balance for line in statement.lines)])
    data = {
        "title": "Statement of credits",
        "seller": settings.SELLER["name"],
        "buyer": [account.name if account else organization.name, organization.public_id],
        "period": f"{start} to {end} {statement.timezone}",
        "opening": aligned(amount(statement.opening), width),
        "closing": aligned(amount(statement.closing), width),
        "lines": [_line(line, width) for line in statement.lines],
        "footer": f"{organization.name}, {settings.SELLER['name']}",
    }
    return {name: layout.printable(value) for name, value in data.items()}


def _line(line: StatementLine, width: int) -> list[str]:
    label = f"{line.label}, {line.count:,} entries" if line.entry is None and line.count > 1 else line.label
    if line.entry and line.entry.description not in ("", line.label):
        label = f"{label}: {line.entry.description}"
    figures = aligned(signed(line.amount), width), aligned(amount(line.balance), width)
    return [f"{line.day:%-d %b %Y}", label, *figures]
