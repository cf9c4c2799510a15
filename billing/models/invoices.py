from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.lib import identifiers, jsonb
from accounts.lib.money import ZERO, AmountField
from accounts.models import Organization, TenantQuerySet


class TaxRate(models.Model):
    """The tax on what is sold to a country, or to a region of it, from a day on. Without a row there is no tax."""

    country = models.CharField(max_length=2)
    region = models.CharField(max_length=50, blank=True, help_text="A state as in billing accounts. Empty: all of it.")
    valid_from = models.DateField()
    name = models.CharField(max_length=30, default="VAT")
    percent = models.DecimalField(max_digits=6, decimal_places=3)

    class Meta:
        ordering = ["country", "region", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["country", "region", "valid_from"], name="tax_rate_once"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_percent"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} % in {self.region or self.country} from {self.valid_from}"


class InvoiceSeries(models.Model):
    """The last number that a seller gave in a series, which is one kind of paper in one year."""

    seller = models.CharField(max_length=40)
    kind = models.CharField(max_length=11)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "invoice series"
        constraints = [models.UniqueConstraint(fields=["seller", "kind", "year"], name="invoice_series_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.year} of {self.seller}: {self.last}"


class Invoice(models.Model):
    """A paper: an invoice, a credit note or a statement. Triggers refuse every UPDATE, DELETE and TRUNCATE.

    What it says of the seller, the buyer and the tax is a copy from the time of issue. `taxes` are as
    `billing.invoicing.tax.Tax` has them. Amounts are money with the currency's decimals, and a credit note's are
    positive. A statement has no number and no tax: its amounts are credits, and `total` is the closing balance.

    What becomes of it is beside it, in `InvoiceState`. `issued_at` is later on each paper of a payer than on the one
    before it.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        CREDIT_NOTE = "credit_note"
        STATEMENT = "statement"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False, related_name="invoices")
    kind = models.CharField(max_length=11, choices=Kind.choices)
    series = models.ForeignKey(InvoiceSeries, on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    ordinal = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="corrections")
    seller = models.JSONField()
    buyer = models.JSONField()
    taxes = models.JSONField(default=list, encoder=jsonb.Encoder, decoder=jsonb.Decoder)
    subtotal = AmountField()
    tax = AmountField(default=ZERO)
    total = AmountField()

    objects: ClassVar[TenantQuerySet["Invoice"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "issued_at"], name="invoice_of_organization"),
            models.UniqueConstraint(fields=["series", "ordinal"], name="invoice_number_once"),
            models.CheckConstraint(
                condition=Q(kind="statement", series=None, ordinal=None, number="", tax=0)
                | (~Q(kind="statement") & Q(series__isnull=False, ordinal__gte=1, subtotal__gte=0, tax__gte=0)),
                name="invoice_is_numbered",
            ),
            models.CheckConstraint(condition=Q(total=F("subtotal") + F("tax")), name="invoice_total"),
            models.CheckConstraint(condition=Q(period_end__gte=F("period_start")), name="invoice_period"),
            models.CheckConstraint(
                condition=~Q(kind="credit_note") | Q(corrects__isnull=False), name="invoice_credit_note_corrects"
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"{self.kind} of {self.period_start:%Y-%m-%d}"

    @property
    def public_id(self) -> str:
        return f"in_{self.pk.hex}"


class InvoiceLine(models.Model):
    """A line of a paper, as immutable as it. `is_annex`: one of the exact figures behind the lines, with 9 decimals."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, db_index=False, related_name="all_lines")
    is_annex = models.BooleanField()
    position = models.PositiveIntegerField()
    description = models.CharField(max_length=300)
    meter = models.CharField(max_length=50, blank=True)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    quantity = AmountField(null=True)
    unit_amount = AmountField(null=True)
    amount = AmountField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "is_annex", "position"], name="invoice_line_position")
        ]

    def __str__(self) -> str:
        return f"{self.description}: {self.amount}"


class InvoiceState(models.Model):
    """What became of a paper, and what is due with it.

    - `status`: a statement and a credit note are only `issued`; an invoice is open, paid, past due or uncollectible.
    - `next_attempt_at`, `step`: when dunning goes on, and at which place of its schedule.
    - `needs_card`: the card was declined for good, so only another one is charged.
    - `document_due_at`, `document_attempts`: when the PDF is to be made. None once it is there.
    """

    class Status(models.TextChoices):
        ISSUED = "issued"
        OPEN = "open"
        PAID = "paid"
        PAST_DUE = "past_due"
        UNCOLLECTIBLE = "uncollectible"

    UNPAID = (Status.OPEN, Status.PAST_DUE)
    OWED = (*UNPAID, Status.UNCOLLECTIBLE)

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, primary_key=True, related_name="state")
    status = models.CharField(max_length=13, choices=Status.choices)
    paid_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    step = models.PositiveSmallIntegerField(default=0)
    needs_card = models.BooleanField(default=False)
    document_due_at = models.DateTimeField(null=True)
    document_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="invoice_to_collect"
            ),
            models.Index(
                fields=["document_due_at"], condition=Q(document_due_at__isnull=False), name="invoice_to_print"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="paid", paid_at__isnull=False) | (~Q(status="paid") & Q(paid_at=None)),
                name="invoice_paid_at",
            )
        ]

    def __str__(self) -> str:
        return self.status


class InvoiceDocument(models.Model):
    """The PDF of a paper as it went out, and the e-invoice in it. Immutable: rendered again, its bytes could differ.

    `standard` is empty if the fonts lack a letter of it: the PDF then shows a box there, and is no PDF/A.
    """

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, primary_key=True, related_name="document")
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    standard = models.CharField(max_length=20, blank=True)
    xml = models.TextField(blank=True)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256
