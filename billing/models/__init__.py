"""What an organization owns and owes: accounts, the ledger, holds, payments, and what is sold."""

from billing.models.accounts import BillingAccount
from billing.models.catalog import Meter, Plan, PlanAllowance, Price
from billing.models.ledger import Hold, LedgerAccount, LedgerEntry
from billing.models.payments import Payment, PaymentMethod
from billing.models.recharge import AutoRecharge
from billing.models.subscriptions import Subscription

__all__ = [
    "AutoRecharge",
    "BillingAccount",
    "Hold",
    "LedgerAccount",
    "LedgerEntry",
    "Meter",
    "Payment",
    "PaymentMethod",
    "Plan",
    "PlanAllowance",
    "Price",
    "Subscription",
]
