"""Papers for people: the list, one paper with its document, and paying an open invoice."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.lib import identifiers
from accounts.lib.attachments import attachment
from accounts.lib.languages import sentence, translated
from accounts.lib.problems import Problem
from accounts.lib.spreadsheets import Cell
from billing import clock
from billing.invoicing import annex, paying, tax, unpaid
from billing.models import Invoice, InvoiceDocument, InvoiceState, Payment, PaymentMethod
from billing.pages import receipts
from billing.pages.credits import CreditsMixin
from billing.pages.forms import OnceForm, PayForm
from billing.pages.lists import FilteredListView, FilterForm
from billing.payments import payments, saving_cards
from billing.templatetags.money import places

# As the badges of the list say it.
KINDS = [
    ("", _("All kinds")),
    (Invoice.Kind.INVOICE, _("Invoice")),
    (Invoice.Kind.CREDIT_NOTE, _("Credit note")),
    (Invoice.Kind.STATEMENT, _("Statement")),
]
STATUSES = [
    ("", _("All")),
    (InvoiceState.Status.OPEN, _("Open")),
    (InvoiceState.Status.PAID, _("Paid")),
    (InvoiceState.Status.PAST_DUE, _("Past due")),
    (InvoiceState.Status.UNCOLLECTIBLE, _("Uncollectible")),
    (InvoiceState.Status.ISSUED, _("Nothing to pay")),
]


class PapersForm(FilterForm):
    q = forms.CharField(required=False, max_length=40, label=_("Number"))
    kind = forms.ChoiceField(required=False, choices=KINDS, label=_("Kind"))
    status = forms.ChoiceField(required=False, choices=STATUSES, label=_("Status"))

    def condition(self) -> Q:
        lookups = {"q": "number__icontains", "kind": "kind", "status": "state__status"}
        return Q(**{lookups[name]: value for name, value in self.chosen().items()})


class InvoicesView(FilteredListView):
    """Invoices, credit notes and statements, newest first."""

    scopes = {"get": "billing:read"}
    section = "invoices"
    title = _("Invoices")
    template_name = "billing/invoices.html"
    form_class = PapersForm
    file = "invoices"
    columns = ("number", "kind", "status", "issued_at", "due_at", "currency", "subtotal", "tax", "total")

    def rows(self) -> QuerySet[Invoice]:
        papers = Invoice.objects.of(self.organization)
        return papers.select_related("state", "document").order_by("-issued_at", "-pk")

    def line(self, row: Invoice) -> Sequence[Cell]:
        return (
            *(row.number, row.kind, row.state.status, row.issued_at.isoformat()),
            *(row.due_at.isoformat() if row.due_at else None, row.currency, row.subtotal, row.tax, row.total),
        )

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        return {**context, "total_places": places(paper.total for paper in context["object_list"])}


class PaperMixin(CreditsMixin):
    section = "invoices"

    def paper(self, public_id: str) -> Invoice:
        try:
            id = identifiers.uuid_of(public_id, "in_")
        except ValueError as error:
            raise Http404 from error
        papers = Invoice.objects.of(self.organization).select_related("organization", "state", "corrects")
        paper = papers.filter(pk=id).first()
        if paper is None:
            raise Http404
        return paper


class InvoiceView(PaperMixin):
    """GET shows a paper, POST pays it with a card on file or on the gateway's page."""

    scopes = {"get": "billing:read", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str, invoice: str) -> HttpResponse:
        return self._show(self.paper(invoice))

    def post(self, request: HttpRequest, organization: str, invoice: str) -> HttpResponse:
        paper, is_checkout = self.paper(invoice), "checkout" in request.POST
        form = OnceForm(request.POST) if is_checkout else PayForm(request.POST, cards=self.cards())
        if not form.is_valid():
            return self._show(paper, form if isinstance(form, PayForm) else None, status=400)
        try:
            payment = self._pay(paper, **form.cleaned_data)
        except Problem as problem:
            messages.error(request, sentence(problem))
            return redirect(request.path)
        if is_checkout and payment.action_url:
            context = self.get_context_data(address=payment.action_url, title=gettext("Pay this invoice"))
            return render(request, "billing/leave.html", context)
        if payment.status == Payment.Status.ACTION_REQUIRED:
            return redirect("billing:payment", self.organization.public_id, payment.public_id)
        receipts.tell(request, payment)
        return redirect(request.path)

    def _pay(self, paper: Invoice, payment: UUID, method: PaymentMethod | None = None) -> Payment:
        """With a card on file, or on the gateway's page: once for each page that was shown."""
        begun = paying.begin(
            paper,
            method=method.public_id if method else None,
            checkout=method is None,
            by=self.credential.id,
            now=clock.now(self.organization),
            id=payment,
        )
        return payments.complete(begun.pk)

    def _show(self, paper: Invoice, form: PayForm | None = None, *, status: int = 200) -> HttpResponse:
        is_owed = paper.state.status in InvoiceState.OWED
        net, taxes = unpaid.remainder(paper) if is_owed else (0, [])
        if form is None and is_owed and self.may("credits:write"):
            initial = {"method": self.cards().first(), "payment": identifiers.uuid7()}
            form = PayForm(initial=initial, cards=self.cards())
        context = self.get_context_data(
            paper=paper,
            lines=paper.all_lines.filter(is_annex=False).select_related("organization"),
            taxes=tax.from_json(paper.taxes),
            document=InvoiceDocument.objects.filter(invoice=paper).only("sha256").first(),
            form=form,
            cards=self.cards().exists(),
            consent=translated(saving_cards.CONSENT),
            left=net + tax.total(taxes),
            underway=unpaid.open_payment(paper),
        )
        return render(self.request, "billing/invoice.html", context, status=status)


class DocumentView(PaperMixin):
    """The PDF."""

    scopes = {"get": "billing:read"}

    def get(self, request: HttpRequest, organization: str, invoice: str) -> HttpResponse:
        paper = self.paper(invoice)
        document = InvoiceDocument.objects.filter(invoice=paper).first()
        if document is None:
            messages.info(request, gettext("The PDF is being made. Try again in a minute."))
            return redirect("billing:invoice", self.organization.public_id, paper.public_id)
        name = f"{paper.number or 'statement'}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(bytes(document.pdf), content_type="application/pdf", headers=headers)


class AnnexView(PaperMixin):
    """The exact figures behind the lines."""

    scopes = {"get": "billing:read"}

    def get(self, request: HttpRequest, organization: str, invoice: str) -> HttpResponse:
        paper = self.paper(invoice)
        return attachment(annex.table(paper), paper.number or "statement", "csv")
