"""The contents of a paper, as text that the template only has to place."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.lib import countries, timezones
from accounts.lib.money import plain
from billing.invoicing import tax
from billing.models import Invoice, InvoiceLine
from billing.templatetags.money import amount, money

TITLES = {
    Invoice.Kind.INVOICE: "Invoice",
    Invoice.Kind.CREDIT_NOTE: "Credit note",
    Invoice.Kind.STATEMENT: "Statement",
}


def of(paper: Invoice) -> dict[str, Any]:
    """The template's data. Everything in it is text, or a list of texts."""
    title = f"{TITLES[Invoice.Kind(paper.kind)]} {paper.number}".strip()
    lines = list(paper.all_lines.order_by("is_annex", "position"))
    issued = paper.issued_at.astimezone(timezones.zone(paper.seller["timezone"]))
    data = {
        "title": title,
        "date": {"year": issued.year, "month": issued.month, "day": issued.day},
        "seller": {"name": paper.seller["name"]},
        "seller_line": ", ".join(address(paper.seller)),
        "seller_lines": [*address(paper.seller), *_ids(paper.seller), paper.seller["email"]],
        "buyer_lines": [*address(paper.buyer), *_ids(paper.buyer)],
        "facts": _facts(paper),
        "lines": [_line(line, paper.currency) for line in lines if not line.is_annex],
        "annex": [_line(line, paper.currency) for line in lines if line.is_annex],
        "sums": _sums(paper),
        "total": _total(paper),
        "notes": _notes(paper),
        "footer": f"{title}, {paper.seller['name']}",
    }
    return {name: printable(value) for name, value in data.items()}


def address(party: Mapping[str, str]) -> list[str]:
    """The lines of a postal address, without empty ones."""
    place = " ".join(part for part in (party["postal_code"], party["city"], party["state"]) if part)
    country = countries.names().get(party["country"], party["country"])
    return [line for line in (party["name"], party["line1"], party["line2"], place, country) if line]


def _ids(party: Mapping[str, str]) -> list[str]:
    named = (("VAT id", party["vat_id"]), ("Tax number", party.get("tax_number", "")))
    return [f"{name} {value}" for name, value in named if value]


def last_moment(paper: Invoice) -> datetime:
    """The period ends before `period_end`. That of a purchase is the moment of its payment."""
    return max(paper.period_start, paper.period_end - datetime.resolution)


def _facts(paper: Invoice) -> list[tuple[str, str]]:
    def day(moment: datetime | None, zone: str = paper.seller["timezone"]) -> str:
        return f"{moment.astimezone(timezones.zone(zone)):%-d %B %Y}" if moment else ""

    months = paper.buyer["timezone"]
    start, end = day(paper.period_start, months), day(last_moment(paper), months)
    facts = (
        ("Date", day(paper.issued_at)),
        ("Period", start if start == end else f"{start} to {end}"),
        ("Due", day(paper.due_at)),
        ("Corrects", paper.corrects.number if paper.corrects else ""),
        ("Your reference", paper.buyer["purchase_order"]),
        ("Account", paper.buyer["public_id"]),
    )
    return [(name, value) for name, value in facts if value]


def _line(line: InvoiceLine, currency: str) -> dict[str, str]:
    return {
        "description": line.description,
        "quantity": "" if line.quantity is None else amount(line.quantity),
        "price": "" if line.unit_amount is None else amount(line.unit_amount),
        "amount": money(line.amount, currency),
    }


def _sums(paper: Invoice) -> list[tuple[str, str]]:
    if paper.kind == Invoice.Kind.STATEMENT:
        return []
    taxes = tax.from_json(paper.taxes)
    return [
        ("Net", money(paper.subtotal, paper.currency)),
        *((_tax_name(each), money(each.amount, paper.currency)) for each in taxes),
    ]


def _tax_name(each: tax.Tax) -> str:
    return f"{each.name} {plain(Decimal(each.percent))} %"


def _total(paper: Invoice) -> tuple[str, str]:
    name = "Balance" if paper.kind == Invoice.Kind.STATEMENT else "Total"
    return name, money(paper.total, paper.currency)


def _notes(paper: Invoice) -> list[str]:
    reasons = [each.reason for each in tax.from_json(paper.taxes)]
    paid = paper.kind == Invoice.Kind.INVOICE and paper.due_at is None
    return [note for note in (*reasons, "Paid." if paid else "", paper.seller["note"]) if note]


def printable(value: Any) -> Any:
    """Without control characters, which no PDF can show."""
    if isinstance(value, str):
        return "".join(letter for letter in value if unicodedata.category(letter) != "Cc")
    if isinstance(value, Mapping):
        return {name: printable(part) for name, part in value.items()}
    if isinstance(value, Iterable):
        return [printable(part) for part in value]
    return value
