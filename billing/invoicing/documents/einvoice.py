"""The e-invoice: EN 16931 in the syntax CII, made with the optional extra `e-invoice`.

The names of its fields are the standard's own, such as BT-1 for the number. Statements are no invoices, and have none.
"""

import importlib.util
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog

from accounts.lib import timezones
from accounts.lib.money import plain
from billing.invoicing import tax
from billing.invoicing.documents import layout
from billing.models import Invoice, InvoiceLine

log = structlog.get_logger()

LEVEL = "en16931"
TYPES = {Invoice.Kind.INVOICE: "380", Invoice.Kind.CREDIT_NOTE: "381"}
PIECE = "C62"  # the unit of what has none, in UNECE's list
NOT_TAXED = tax.Tax("VAT", "O", Decimal(0), Decimal(0), Decimal(0), "Not subject to VAT")


def xml(paper: Invoice) -> str:
    """Empty if the extra is not installed, or the standard can't express the paper.

    A paper never waits for its e-invoice: if making it fails, that is logged.
    """
    taxes = tax.from_json(paper.taxes)
    if paper.kind not in TYPES or not paper.seller["country"] or len(taxes) > 1 or not is_installed():
        return ""
    try:
        return _generate(layout.printable(_fields(paper, taxes[0] if taxes else NOT_TAXED)))
    except Exception:
        log.exception("e-invoice not made", invoice=paper.public_id)
        return ""


def is_installed() -> bool:
    return importlib.util.find_spec("facturx") is not None


def _generate(fields: dict[str, Any]) -> str:
    from facturx import generate_cii_xml  # optional, and slow to import

    made: bytes = generate_cii_xml(fields, level=LEVEL, check_xsd=True, check_schematron=False)
    return made.decode()


def _fields(paper: Invoice, each: tax.Tax) -> dict[str, Any]:
    zone = timezones.zone(paper.seller["timezone"])

    def day(moment: datetime) -> str:
        return moment.astimezone(zone).date().isoformat()

    net, total = plain(paper.subtotal), plain(paper.total)
    is_owed = paper.due_at is not None
    fields = {
        "BT-1": paper.number,
        "BT-2": day(paper.issued_at),
        "BT-3": TYPES[Invoice.Kind(paper.kind)],
        "BT-5": paper.currency,
        "BT-9": day(paper.due_at) if paper.due_at else "",
        "BT-13": paper.buyer["purchase_order"],
        "BT-20": "" if is_owed else "Nothing is left to pay.",
        "BT-72": day(layout.last_moment(paper)),
        "BT-73": day(paper.period_start),
        "BT-74": day(layout.last_moment(paper)),
        "BT-106": net,
        "BT-109": net,
        "BT-110": plain(paper.tax),
        "BT-112": total,
        "BT-113": "0" if is_owed else total,
        "BT-115": total if is_owed else "0",
        "BG-3": [{"BT-25": paper.corrects.number, "BT-26": day(paper.corrects.issued_at)}] if paper.corrects else [],
        "BG-4": _party(paper.seller, each, code=paper.seller["code"]),
        "BG-7": _party(paper.buyer, each, code=paper.buyer["public_id"]),
        "BG-23": [_breakdown(paper, each)],
        "BG-25": [_line(line, each) for line in paper.all_lines.filter(is_annex=False).order_by("position")],
    }
    return {name: value for name, value in fields.items() if value}


def _party(party: Mapping[str, str], each: tax.Tax, *, code: str) -> dict[str, Any]:
    """If something is not subject to VAT, neither party's VAT id may be given (BR-O-02)."""
    fields = {
        "name": party["name"],
        "identifiers": {None: code},
        "vat_identifier": "" if each.category == NOT_TAXED.category else party["vat_id"],
        "tax_identifier": party.get("tax_number", ""),
        "country_code": party["country"],
        "city": party["city"],
        "postcode": party["postal_code"],
        "addr_l1": party["line1"],
        "addr_l2": party["line2"],
        "country_subdivision": party["state"],
    }
    return {name: value for name, value in fields.items() if value}


def _breakdown(paper: Invoice, each: tax.Tax) -> dict[str, str]:
    fields = {
        "BT-116": plain(paper.subtotal),
        "BT-117": plain(paper.tax),
        "BT-118": each.category,
        "BT-119": _rate(each),
        "BT-120": each.reason,
    }
    return {name: value for name, value in fields.items() if value}


def _line(line: InvoiceLine, each: tax.Tax) -> dict[str, str]:
    """A price is never negative (BR-27): what lowers the total is a negative quantity."""
    is_counted = line.quantity is not None and line.unit_amount is not None
    piece = "-1" if line.amount < 0 else "1"
    fields = {
        "BT-126": str(line.position),
        "BT-129": plain(line.quantity) if is_counted and line.quantity else piece,
        "BT-130": PIECE,
        "BT-131": plain(line.amount),
        "BT-146": plain(line.unit_amount) if is_counted and line.unit_amount else plain(abs(line.amount)),
        "BT-151": each.category,
        "BT-152": _rate(each),
        "BT-153": line.description,
    }
    return {name: value for name, value in fields.items() if value}


def _rate(each: tax.Tax) -> str:
    """Something that is not subject to VAT has no rate at all (BR-O-05)."""
    return "" if each.category == NOT_TAXED.category else plain(each.percent)
