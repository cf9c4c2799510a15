from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext, gettext_noop

from accounts.lib import identifiers
from accounts.lib.problems import NotFound
from accounts.lib.sentences import filled
from accounts.models import Organization
from billing.change_requests.action import Action, Amount, Figures, Params
from billing.invoicing import crediting, papers
from billing.models import Invoice, Payment
from billing.payments import refunding, refunds
from billing.templatetags.money import money


def _amount(params: Params) -> Decimal | None:
    return Decimal(params["amount"]) if params.get("amount") is not None else None


def _key(subject: str, prefix: str) -> UUID:
    try:
        return identifiers.uuid_of(subject, prefix)
    except ValueError as error:
        raise NotFound from error


class RefundPayment(Action):
    kind = "refund"

    def load(self, subject: str) -> Payment:
        payments = Payment.objects.select_related("organization", "method", "invoice__organization")
        payment = payments.filter(pk=_key(subject, "pay_")).first()
        if payment is None:
            raise NotFound("There is no such payment.")
        return payment

    def organization(self, row: Payment) -> Organization:
        organization: Organization = row.organization
        return organization

    def amount(self, row: Payment, params: Params) -> Decimal:
        amount = _amount(params)
        return refunds.left_of(row) if amount is None else amount

    def figures(self, row: Payment, now: datetime) -> Figures:
        payment = Payment.objects.get(pk=row.pk)
        paid_back = sum((refund.total for refund in payment.refunds.exclude(status="failed")), Decimal(0))
        return {
            gettext_noop("Credits of the payment taken back"): Amount(payment.refunded, payment.currency),
            (
                filled("Money back to %(card)s", card=row.method)
                if row.method
                else gettext_noop("Money back to the card")
            ): Amount(paid_back, payment.currency),
        }

    def run(self, row: Payment, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        begun = refunds.begin(row, reason=reason, actor=actor, amount=_amount(params), force=params["force"])
        transaction.on_commit(lambda: refunding.complete(begun.pk))  # The gateway is called with no transaction open.
        return gettext("Being paid back: %(money)s (%(refund)s).") % {
            "money": money(begun.total, row.currency),
            "refund": begun.public_id,
        }


class OfInvoice(Action):
    def load(self, subject: str) -> Invoice:
        invoice = Invoice.objects.select_related("organization", "state").filter(pk=_key(subject, "in_")).first()
        if invoice is None:
            raise NotFound("There is no such invoice.")
        return invoice

    def organization(self, row: Invoice) -> Organization:
        organization: Organization = row.organization
        return organization

    def figures(self, row: Invoice, now: datetime) -> Figures:
        invoice = Invoice.objects.select_related("state").get(pk=row.pk)
        left = invoice.total - papers.credited(invoice)
        return {
            "Invoice": invoice.state.get_status_display(),
            gettext_noop("Left of the invoice"): Amount(left, invoice.currency),
        }


class CreditNote(OfInvoice):
    kind = "credit_note"

    def amount(self, row: Invoice, params: Params) -> Decimal:
        amount = _amount(params)
        return Decimal(row.total - papers.credited(row) if amount is None else amount)

    def run(self, row: Invoice, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        return gettext("Issued: %(paper)s.") % {
            "paper": crediting.give(row, reason=reason, actor=actor, now=now, amount=_amount(params))
        }


class WriteOff(OfInvoice):
    kind = "write_off"

    def amount(self, row: Invoice, params: Params) -> Decimal:
        return Decimal(row.total - papers.credited(row))

    def run(self, row: Invoice, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        crediting.write_off(row, now)
        return gettext("%(invoice)s is uncollectible. The debt stays in the ledger.") % {"invoice": row}
