"""What an organization owns and owes: accounts, ledger, holds, payments; and what is sold."""

from billing.models.accounts import BillingAccount
from billing.models.budgets import Spending
from billing.models.catalog import EndpointPrice, Interval, Meter, Plan, PlanAllowance, PlanPrice, Price, PriceTier
from billing.models.change_requests import ChangeRequest
from billing.models.disputes import Dispute
from billing.models.finance import FinancePackage, FinancePackagePart
from billing.models.grants import Grant
from billing.models.holds import Hold
from billing.models.invoices import (
    Invoice,
    InvoiceDocument,
    InvoiceLine,
    InvoiceSeries,
    InvoiceState,
    TaxRate,
)
from billing.models.ledger import LedgerAccount, LedgerEntry, LedgerSeal
from billing.models.moves import Move
from billing.models.payments import GatewayCustomer, Payment, PaymentMethod, Refund
from billing.models.received_events import PolledGateway, ReceivedEvent
from billing.models.recharge import AutoRecharge
from billing.models.sandbox import SandboxObject
from billing.models.subscriptions import Subscription, SubscriptionPeriod

__all__ = [
    "AutoRecharge",
    "BillingAccount",
    "ChangeRequest",
    "Dispute",
    "EndpointPrice",
    "FinancePackage",
    "FinancePackagePart",
    "GatewayCustomer",
    "Grant",
    "Hold",
    "Interval",
    "Invoice",
    "InvoiceDocument",
    "InvoiceLine",
    "InvoiceSeries",
    "InvoiceState",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerSeal",
    "Meter",
    "Move",
    "Payment",
    "PaymentMethod",
    "Plan",
    "PlanAllowance",
    "PlanPrice",
    "PolledGateway",
    "Price",
    "PriceTier",
    "ReceivedEvent",
    "Refund",
    "SandboxObject",
    "Spending",
    "Subscription",
    "SubscriptionPeriod",
    "TaxRate",
]
