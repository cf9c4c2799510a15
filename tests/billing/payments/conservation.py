"""Money is conserved: what the stand-in's book says that moved is what the ledger has, and the tax."""

from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from accounts.models import Organization
from billing.models import Dispute, GatewayCustomer, LedgerEntry, Payment, Refund
from billing.payments.minor_units import Money
from tests.stripe.process import StandIn

# `returned` is a refund that failed.
SIGNS = {"received": 1, "refunded": -1, "returned": 1, "withdrawn": -1, "reinstated": 1}
OF_PAYMENTS = Q(kind__in=["purchase", "refund", "chargeback"]) | Q(kind="reversal", actor="")


def differences(stand_in: StandIn, *organizations: Organization) -> list[str]:
    """A sentence for each customer, of all or of these, for whom the stand-in's book and ours don't agree."""
    book = stand_in.book()
    known = GatewayCustomer.objects.filter(gateway="stripe").select_related("organization")
    if organizations:
        known = known.filter(organization__in=organizations)
    return [sentence for row in known if (sentence := _difference(row, book))]


def _difference(row: GatewayCustomer, book: list[dict[str, Any]]) -> str:
    moved = [line for line in book if line["customer"] == row.customer]
    theirs = sum(
        (SIGNS[line["kind"]] * Money(line["minor"], line["currency"].upper()).amount for line in moved), Decimal(0)
    )
    entries = LedgerEntry.objects.of(row.organization).filter(OF_PAYMENTS).aggregate(sum=Sum("amount"))["sum"]
    ours = (entries or Decimal(0)) + _tax(row)
    return "" if theirs == ours else f"{row.customer}: {theirs} moved, and the ledger has {ours}"


def _tax(row: GatewayCustomer) -> Decimal:
    """The tax that was paid, less the tax that was refunded."""
    paid = Payment.objects.of(row.organization).filter(status="succeeded")
    back = Refund.objects.filter(payment__in=paid).exclude(status="failed")
    disputes = Dispute.objects.filter(payment__in=paid)
    tax = sum((payment.tax for payment in paid), Decimal(0))
    tax -= sum((refund.total - refund.amount for refund in back), Decimal(0))
    withdrawn = sum((each.withdrawn_total - each.withdrawn for each in disputes), Decimal(0))
    return Decimal(tax - withdrawn + sum((each.reinstated_total - each.reinstated for each in disputes), Decimal(0)))
