"""Papers: invoices, credit notes and statements, with their PDF and e-invoice."""

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet, Subquery
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.filters import Filters, MomentFilter, known_id
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of
from accounts.lib.attachments import attachment
from accounts.lib.problems import Conflict, NotFound
from billing import clock
from billing.api.fields import AmountSerializerField
from billing.api.money import check_currency
from billing.api.payers import own_payer
from billing.api.payments import CardSerializer, PaymentSerializer, complete
from billing.invoicing import annex, paying
from billing.models import Invoice, InvoiceDocument, InvoiceLine, InvoiceState


class DocumentNotReady(Conflict):
    """A worker makes the document, within seconds after the paper."""

    code = "document_not_ready"
    detail = "The document is being made. Try again in a minute."


class InvoiceLineSerializer(serializers.ModelSerializer[InvoiceLine]):
    meter = serializers.SerializerMethodField()
    organization = serializers.CharField(source="organization.public_id", default=None, allow_null=True, read_only=True)
    quantity = AmountSerializerField(allow_null=True, read_only=True)
    unit_amount = AmountSerializerField(allow_null=True, read_only=True)
    amount = AmountSerializerField(read_only=True)

    class Meta:
        model = InvoiceLine
        fields = ["description", "meter", "organization", "quantity", "unit_amount", "amount"]
        read_only_fields = fields

    def get_meter(self, line: InvoiceLine) -> str | None:
        return line.meter or None


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """Amounts are money. A statement's are credits; it has no number and no tax, and `total` is the closing balance.

    `corrects` is the paper that this one takes back, wholly or in part.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    number = serializers.SerializerMethodField()
    status = serializers.ChoiceField(source="state.status", choices=InvoiceState.Status.choices, read_only=True)
    lines = InvoiceLineSerializer(many=True, read_only=True)
    subtotal = AmountSerializerField(read_only=True)
    tax = AmountSerializerField(read_only=True)
    total = AmountSerializerField(read_only=True)
    paid_at = serializers.DateTimeField(source="state.paid_at", allow_null=True, read_only=True)
    corrects = serializers.CharField(source="corrects.public_id", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Invoice
        fields = [
            *("id", "number", "kind", "status", "currency", "period_start", "period_end", "lines"),
            *("subtotal", "tax", "total", "issued_at", "due_at", "paid_at", "corrects"),
        ]
        read_only_fields = fields

    def get_number(self, paper: Invoice) -> str | None:
        return paper.number or None


class InvoiceFilter(Filters):
    """`from`, inclusive, and `to`, exclusive, of `issued_at`."""

    kind = django_filters.ChoiceFilter(choices=Invoice.Kind.choices)
    status = django_filters.ChoiceFilter(field_name="state__status", choices=InvoiceState.Status.choices)

    class Meta:
        model = Invoice
        fields: list[str] = []

    @classmethod
    def get_filters(cls) -> Any:
        """`from` is a keyword of Python, so these two can't be attributes."""
        filters = super().get_filters()
        filters["from"] = MomentFilter(parameter="from", field_name="issued_at", lookup_expr="gte")
        filters["to"] = MomentFilter(parameter="to", field_name="issued_at", lookup_expr="lt")
        return filters


class InvoiceViewSet(PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Invoice]):
    """Invoices, credit notes and statements, newest first. None of them ever changes."""

    scopes = {
        "list": "billing:read",
        "retrieve": "billing:read",
        "pdf": "billing:read",
        "xml": "billing:read",
        "csv": "billing:read",
        "pay": "credits:write",
    }
    refusals = {"pdf": (409,), "xml": (409,), "pay": (409,)}
    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilter
    queryset = Invoice.objects.none()
    id_prefix = "in_"

    def get_queryset(self) -> QuerySet[Invoice]:
        lines = InvoiceLine.objects.filter(is_annex=False).select_related("organization").order_by("position")
        papers = Invoice.objects.of(own_payer(self.request)).select_related("organization", "state", "corrects")
        return papers.prefetch_related(Prefetch("all_lines", lines, to_attr="lines")).order_by("-issued_at")

    def following(self, papers: QuerySet[Invoice], id: str) -> QuerySet[Invoice]:
        """Papers issued after the one with this id. They are issued one at a time, under the payer's lock."""
        known = known_id(self.get_queryset(), "in_", id)
        if known:
            papers = papers.filter(issued_at__gt=Subquery(Invoice.objects.filter(pk=known).values("issued_at")))
        return papers.order_by("issued_at")

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True)
    def pdf(self, request: Request, id: str) -> HttpResponse:
        """The document, as it went out. `ETag` is its SHA-256. 409 `document_not_ready` while it is being made."""
        paper: Invoice = self.get_object()
        document = _document(paper)
        return _file(bytes(document.pdf), "application/pdf", f"{paper.number or 'statement'}.pdf", document.sha256)

    @extend_schema(responses={(200, "application/xml"): OpenApiTypes.BINARY})
    @action(detail=True)
    def xml(self, request: Request, id: str) -> HttpResponse:
        """The e-invoice that is attached to the PDF: EN 16931 in the syntax CII. 404 for a paper without one."""
        paper: Invoice = self.get_object()
        document = _document(paper)
        if not document.xml:
            raise NotFound("This paper has no e-invoice.")
        return _file(document.xml.encode(), "application/xml", f"{paper.number}.xml", document.sha256)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True)
    def csv(self, request: Request, id: str) -> HttpResponse:
        """The exact figures behind the lines: what each organization used of each meter at each price, unrounded."""
        paper: Invoice = self.get_object()
        return attachment(annex.table(paper), paper.number or "statement", "csv")

    @extend_schema(request=CardSerializer, responses={201: PaymentSerializer, 402: PaymentSerializer})
    @action(detail=True, methods=["post"])
    def pay(self, request: Request, id: str) -> Any:
        """Pay an open invoice with a card on file, or on a checkout page. A decline is a 402 with the payment."""
        invoice: Invoice = self.get_object()
        serializer = CardSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(invoice.organization, params)

        def begin() -> str:
            return paying.begin(
                invoice,
                method=params["payment_method"],
                checkout=params["checkout"],
                return_url=params.get("return_url", ""),
                by=credential_of(request).id,
                now=clock.now(invoice.organization),
            ).pk.hex

        return idempotency.in_two_steps(request, begin, complete)


def _document(paper: Invoice) -> InvoiceDocument:
    document = InvoiceDocument.objects.filter(invoice=paper).first()
    if document is None:
        raise DocumentNotReady
    return document


def _file(content: bytes, type: str, name: str, digest: str) -> HttpResponse:
    headers = {"Content-Disposition": f'inline; filename="{name}"', "ETag": f'"{digest}"'}
    return HttpResponse(content, content_type=type, headers=headers)
