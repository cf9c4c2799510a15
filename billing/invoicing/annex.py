"""The exact figures behind a paper, as a table: its annex, or the lines themselves if those are exact already."""

from accounts.lib import spreadsheets
from billing.models import Invoice

COLUMNS = ("description", "meter", "organization", "quantity", "unit_amount", "amount")


def table(paper: Invoice) -> bytes:
    """CSV with nine decimals: money of an invoice before it was rounded, or credits of a statement."""
    lines = paper.all_lines.select_related("organization").order_by("position")
    rows = [line for line in lines if line.is_annex] or lines
    return spreadsheets.csv_of(
        COLUMNS,
        (
            (
                line.description,
                line.meter or None,
                line.organization.public_id if line.organization else None,
                line.quantity,
                line.unit_amount,
                line.amount,
            )
            for line in rows
        ),
    )
