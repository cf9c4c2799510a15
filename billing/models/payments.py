from calendar import monthrange
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Max, Q
from django.utils import timezone

from accounts.lib import identifiers, jsonb
from accounts.lib.money import ZERO, AmountField
from accounts.models import Organization, TenantQuerySet
from billing.models.invoices import Invoice

EXPIRING = timedelta(days=30)


class GatewayCustomer(models.Model):
    """Whom a gateway charges for an organization: one customer at each gateway, made when it is first needed."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    gateway = models.CharField(max_length=20)
    customer = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[TenantQuerySet["GatewayCustomer"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "gateway"], name="gateway_customer_once")]

    def __str__(self) -> str:
        return f"{self.customer} at {self.gateway}"


class PaymentMethodQuerySet(TenantQuerySet["PaymentMethod"]):
    def of(self, organization: Organization) -> Self:
        """The cards on file, without removed ones."""
        return super().of(organization).filter(removed_at=None)

    def chargeable(self, organization: Organization, purpose: str, day: date) -> list["PaymentMethod"]:
        """The cards that we may charge on that day with nobody present, in the order in which we try them.

        Their owner has agreed to it, and has chosen them for it. The consent that is kept with a card covers invoices
        and auto-recharge; switching auto-recharge on covers that, also with a card of 0.1.0. Chosen are the default,
        then the backup; for auto-recharge its own card comes first. Any other card is charged only by its owner.
        """
        on_file, chosen = self.of(organization), Q(is_default=True) | Q(is_backup=True)
        if purpose == Payment.Purpose.RECHARGE:
            cards = on_file.filter(chosen | Q(autorecharge__isnull=False))
            cards = cards.order_by(F("autorecharge").asc(nulls_last=True), "-is_default")
        else:
            cards = on_file.filter(chosen).exclude(consent="").order_by("-is_default")
        return [card for card in cards if card.is_chargeable_on(day)]


class PaymentMethod(models.Model):
    """A card on file with the gateway. We keep the gateway's token and what may be shown of the card.

    The row of a removed card stays, because payments refer to it. The fingerprint says whether two cards are the same;
    it is empty for cards that were added before 0.2.0. `consent` is what `consent_by` agreed to by saving it.
    `declined_code` marks a card that is not charged again without its owner. `expiry_announced` is the last day of a
    card whose owner was told that it expires.
    """

    class Status(models.TextChoices):
        USABLE = "usable"
        EXPIRING = "expiring"
        EXPIRED = "expired"
        DECLINED = "declined"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payment_methods")
    gateway = models.CharField(max_length=20)
    gateway_token = models.CharField(max_length=100)
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    fingerprint = models.CharField(max_length=64, blank=True, default="", db_default="")
    is_default = models.BooleanField(default=False)
    is_backup = models.BooleanField(default=False, db_default=False)
    declined_code = models.CharField(max_length=60, blank=True, default="", db_default="")
    expiry_announced = models.DateField(null=True, editable=False)
    consent = models.TextField(blank=True, default="", db_default="")
    consent_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PaymentMethodQuerySet] = PaymentMethodQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_default=True), name="payment_method_one_default"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(removed_at=None), name="payment_method_removed_is_no_default"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_backup=True), name="payment_method_one_backup"
            ),
            models.UniqueConstraint(
                fields=["gateway", "gateway_token"], condition=~Q(fingerprint=""), name="payment_method_token_once"
            ),
            models.CheckConstraint(
                condition=Q(is_backup=False) | Q(removed_at=None, is_default=False), name="payment_method_backup"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} …{self.last4}"

    @property
    def public_id(self) -> str:
        return f"pm_{self.pk.hex}"

    def is_chargeable_on(self, day: date) -> bool:
        """Whether it can be charged with nobody present. Whether it may be is said by `chargeable`."""
        return self.removed_at is None and self.status_on(day) in (self.Status.USABLE, self.Status.EXPIRING)

    def status_on(self, day: date) -> str:
        """`declined` until its owner changes something; a card is good to the last day of its month."""
        if self.declined_code:
            return self.Status.DECLINED
        if self.last_day < day:
            return self.Status.EXPIRED
        return self.Status.EXPIRING if self.last_day < day + EXPIRING else self.Status.USABLE

    @property
    def last_day(self) -> date:
        """The last day on which it is good."""
        return date(self.exp_year, self.exp_month, monthrange(self.exp_year, self.exp_month)[1])


class PaymentQuerySet(TenantQuerySet["Payment"]):
    def next_moment(self, organization: Organization, now: datetime) -> datetime:
        """Now, but later than the organization's last payment, even if another server's clock is ahead.

        For a new payment, under the payer's lock.
        """
        last = self.of(organization).aggregate(last=Max("created_at"))["last"]
        return max(now, last + datetime.resolution) if last else now


class Payment(models.Model):
    """One attempt to take money: one intent at the gateway, with one card.

    The row is also the queue: it is committed before the gateway is called, and its intent's id before the intent is
    confirmed. Its id is the idempotency key at the gateway and in the ledger, so however often it is settled, there is
    one charge and one ledger entry. `amount` is credits, net of `tax`. Refunds and disputes are amounts, not states.

    `taxes` are what `tax` is made of, frozen with the row. `invoice` is the paper that it pays; a purchase gets its own
    when it succeeds.

    `confirmations` counts how often the gateway was told to charge. `attempts` counts the calls without an answer; they
    delay the next one. A payment of a checkout page has a `session`, and no card before it is paid.
    """

    class Purpose(models.TextChoices):
        PURCHASE = "purchase"
        RECHARGE = "recharge"
        INVOICE = "invoice"

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTION_REQUIRED = "action_required"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    OPEN = (Status.PENDING, Status.ACTION_REQUIRED)

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payments")
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.PURCHASE, db_default="purchase")
    method = models.ForeignKey(PaymentMethod, on_delete=models.PROTECT, null=True, related_name="payments")
    gateway = models.CharField(max_length=20, blank=True, default="", db_default="")
    intent = models.CharField(max_length=100, blank=True, default="", db_default="")
    session = models.CharField(max_length=100, blank=True, default="", db_default="")
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    amount = AmountField()
    tax = AmountField(default=ZERO, db_default=ZERO)
    taxes = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), encoder=jsonb.Encoder, decoder=jsonb.Decoder
    )
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, db_index=False, related_name="payments")
    refunded = AmountField(default=ZERO, db_default=ZERO)
    disputed = AmountField(default=ZERO, db_default=ZERO)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.PENDING)
    failure_code = models.CharField(max_length=60, blank=True)
    decline_code = models.CharField(max_length=60, blank=True, default="", db_default="")
    next_action_url = models.TextField(blank=True)
    confirmations = models.PositiveSmallIntegerField(default=0, db_default=0)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    problem = models.CharField(max_length=20, blank=True, default="", db_default="")
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    gateway_reference = models.CharField(max_length=100, blank=True)
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PaymentQuerySet] = PaymentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="payment_of_organization"),
            models.Index(fields=["created_at"], condition=Q(status="pending"), name="payment_pending"),
            models.Index(
                fields=["next_attempt_at"], condition=Q(status__in=["pending", "action_required"]), name="payment_due"
            ),
            models.Index(fields=["intent"], condition=~Q(intent=""), name="payment_of_intent"),
            models.Index(fields=["invoice"], condition=Q(invoice__isnull=False), name="payment_of_invoice"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount"), disputed__gte=0, tax__gte=0),
                name="payment_sums",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(purpose="recharge", status__in=["pending", "action_required"]),
                name="payment_one_recharge",
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(purpose="invoice", status__in=["pending", "action_required"]),
                name="payment_one_of_invoice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.status}"

    @property
    def public_id(self) -> str:
        return f"pay_{self.pk.hex}"

    @property
    def total(self) -> Decimal:
        """What the card is charged, in the currency's units."""
        total: Decimal = self.amount + self.tax
        return total

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def was_canceled(self) -> bool:
        """By its owner, or because nobody confirmed it or paid on its page in time. No bank declined it."""
        return self.failure_code in ("canceled", "abandoned")

    @property
    def action_url(self) -> str:
        """Where its owner has to go. Until there is a checkout page, the field holds where that page leads back to."""
        return self.next_action_url if self.session or self.method_id else ""

    @property
    def gateway_name(self) -> str:
        """A payment of 0.1.0 went to its card's gateway."""
        return self.gateway or (self.method.gateway if self.method else "")


class Refund(models.Model):
    """Money given back to the card of a payment, or about to be. `amount` is credits; `total` is money, with its tax.

    The ledger entry is posted with the row, before the gateway is called. If the money does not arrive, the entry is
    reversed.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    amount = AmountField()
    total = AmountField()
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=40, blank=True)
    gateway_reference = models.CharField(max_length=100, blank=True)
    failure_code = models.CharField(max_length=60, blank=True)
    entry_seq = models.BigIntegerField()
    credit_note = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, related_name="refund")
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["next_attempt_at"], condition=Q(status="pending"), name="refund_pending")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, total__gt=0), name="refund_positive"),
            models.UniqueConstraint(
                fields=["gateway_reference"], condition=~Q(gateway_reference=""), name="refund_reference_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.status}"

    @property
    def public_id(self) -> str:
        return f"re_{self.pk.hex}"
