"""What an export has of credits, payments and papers. The payer's tables are in its own export, not in a child's."""

from typing import Any

from django.db.models import Q, QuerySet

from accounts.exports.contents import beneath
from accounts.exports.sections import File, Section, leave_out, of_organization
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import (
    AutoRecharge,
    BillingAccount,
    ChangeRequest,
    Dispute,
    GatewayCustomer,
    Grant,
    Hold,
    Invoice,
    InvoiceDocument,
    InvoiceLine,
    InvoiceState,
    LedgerAccount,
    LedgerEntry,
    LedgerSeal,
    Move,
    Payment,
    PaymentMethod,
    Refund,
    Spending,
    Subscription,
    SubscriptionPeriod,
)

BY_SEQ = ("account_id", "seq")


def _holds(organization: Organization) -> QuerySet[Hold]:
    return Hold.objects.within(organization)


def _spending(organization: Organization) -> QuerySet[Spending]:
    keys = ApiKey.objects.within(organization).values("pk")
    subjects = Q(subject__in=beneath(organization).values("pk")) | Q(subject__in=keys)
    return Spending.objects.filter(subjects, account_id=organization.root_id)


def _moves(organization: Organization) -> QuerySet[Move]:
    nodes = beneath(organization).values("pk")
    return Move.objects.filter(account_id=organization.root_id, organization_id__in=nodes)


def _document(document: InvoiceDocument) -> File:
    invoice = document.invoice
    return f"invoices/{invoice.public_id}.pdf", bytes(document.pdf)


def _cards(organization: Organization) -> Any:
    return PaymentMethod.objects.filter(organization__in=beneath(organization))  # also those that were removed


of_organization(
    Section("billing_accounts", BillingAccount.objects.of),
    Section("ledger_accounts", LedgerAccount.objects.of),
    Section("ledger_entries", LedgerEntry.objects.of, order=BY_SEQ),
    Section("ledger_seals", LedgerSeal.objects.of, order=("account_id", "last_seq")),
    Section("grants", Grant.objects.of, order=("account_id", "entry_seq")),
    Section("holds", _holds, order=("account_id", "purpose", "id")),
    Section("spending", _spending, order=("account_id", "subject", "month")),
    Section("moves", _moves, order=("account_id", "number")),
    Section("gateway_customers", GatewayCustomer.objects.of),
    Section("payment_methods", _cards, without=frozenset({"gateway_token", "fingerprint"})),
    Section("payments", Payment.objects.of, without=frozenset({"session", "next_action_url"})),
    Section("refunds", lambda o: Refund.objects.filter(payment__organization=o)),
    Section("disputes", lambda o: Dispute.objects.filter(payment__organization=o)),
    Section("auto_recharge", AutoRecharge.objects.of),
    Section("subscriptions", Subscription.objects.of),
    Section("subscription_periods", lambda o: SubscriptionPeriod.objects.filter(subscription__organization=o)),
    Section("invoices", Invoice.objects.of),
    Section("invoice_lines", lambda o: InvoiceLine.objects.filter(invoice__organization=o)),
    Section("invoice_states", lambda o: InvoiceState.objects.filter(invoice__organization=o)),
    Section(
        "invoice_documents",
        lambda o: InvoiceDocument.objects.filter(invoice__organization=o).select_related("invoice"),
        without=frozenset({"pdf"}),
        file=_document,
        batch=100,
    ),
)
leave_out({ChangeRequest: "What operators ask of each other. What they did to a customer is in the events."})
