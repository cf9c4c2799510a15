from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import identifiers, jsonb
from accounts.lib.money import ZERO, AmountField, plain
from accounts.models import Organization, TenantQuerySet

DIGEST_BYTES = 32


class LedgerAccount(models.Model):
    """The balance of a root organization, which pays for its tree. `billing.ledger.balances` alone writes it.

    Its primary key is the organization's, so whoever knows the root of a tree knows the payer.

    - `due_at`: no open hold and no lot of the account falls due before that.
    - `closed_through`: usage that occurred before that belongs to a month that is closed.
    - `closed_at`: the organization was closed. No usage is taken any more, while corrections still are.
    - `is_low`: the balance was announced as below `low_balance`.
    - `recharge_below`: a posting that takes `balance − reserved` below it wakes auto-recharge; null while that is off.
    - `rate_limit`, `rate_limit_window_seconds`: those of the payer's plan, for the gate, which reads this row anyway.
    - `zones`: the history of the time zone in which months are counted, as `billing.ledger.billing_zone` reads it.
    - `updated_at`: the account's clock, which never goes back; an entry's `created_at` is read from it.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="ledger_account"
    )
    balance = AmountField(default=ZERO)
    reserved = AmountField(default=ZERO)
    credit_limit = AmountField(default=ZERO)
    seq = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    closed_through = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    low_balance = AmountField(null=True)
    is_low = models.BooleanField(default=False, db_default=False)
    recharge_below = AmountField(null=True)
    rate_limit = models.PositiveIntegerField(null=True)
    rate_limit_window_seconds = models.PositiveIntegerField(null=True)
    zones = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    updated_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[TenantQuerySet["LedgerAccount"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="ledger_account_due"),
            models.Index(
                fields=["organization"],
                condition=Q(low_balance__isnull=False) | Q(is_low=True),
                name="ledger_account_watched",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(reserved__gte=0), name="ledger_account_reserved_not_negative"),
            models.CheckConstraint(condition=Q(credit_limit__gte=0), name="ledger_account_limit_not_negative"),
            models.CheckConstraint(condition=Q(seq__gte=0), name="ledger_account_seq_not_negative"),
        ]

    def __str__(self) -> str:
        return f"ledger of {self.organization_id}"

    @property
    def available(self) -> Decimal:
        """What may be spent: balance − reserved + credit limit."""
        spendable: Decimal = self.balance - self.reserved + self.credit_limit
        return spendable


class LedgerEntryQuerySet(TenantQuerySet["LedgerEntry"]):
    tenant = "account"


class LedgerEntry(models.Model):
    """One immutable movement of credits. Triggers refuse every UPDATE, DELETE and TRUNCATE.

    `seq` counts from 1 within the account, without gaps, and is the public id. `amount` is signed: what raises the
    balance is positive. `reverses_seq` is the entry that a reversal takes back. `actor` is the credential behind it;
    it is empty for what Tollgate does by itself.
    """

    class Kind(models.TextChoices):
        PURCHASE = "purchase"
        GRANT = "grant"
        USAGE = "usage"
        SUBSCRIPTION = "subscription"
        CAPTURE = "capture"
        REFUND = "refund"
        CHARGEBACK = "chargeback"
        EXPIRY = "expiry"
        REVERSAL = "reversal"
        ADJUSTMENT = "adjustment"
        IMPORT = "import"

    # The documented API's types, each with its kinds.
    TYPES: ClassVar[dict[str, tuple[str, ...]]] = {
        "credit": ("purchase", "grant"),
        "debit": ("usage", "subscription", "capture", "refund", "chargeback", "expiry"),
        "adjustment": ("reversal", "adjustment", "import"),
    }

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, db_index=False, related_name="entries")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount = AmountField()
    balance_after = AmountField()
    description = models.CharField(max_length=200, blank=True)
    reference = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(default=dict, encoder=jsonb.Encoder, decoder=jsonb.Decoder)
    idempotency_key = models.CharField(max_length=100, null=True)  # noqa: DJ001
    reverses_seq = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=40, default="", db_default="", blank=True)
    created_at = models.DateTimeField()

    objects: ClassVar[LedgerEntryQuerySet] = LedgerEntryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["id"], name="ledger_entry_by_id"),
            models.Index(fields=["account", "created_at"], name="ledger_entry_by_time"),
        ]
        constraints = [  # the first is the table's primary key in the database
            models.UniqueConstraint(fields=["account", "seq"], name="ledger_entry_seq"),
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="ledger_entry_idempotency_key"),
            models.UniqueConstraint(
                fields=["account", "reverses_seq"],
                condition=Q(reverses_seq__isnull=False),
                name="ledger_entry_reversed_once",
            ),
            models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_entry_seq_positive"),
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(amount__gt=0) | ~Q(kind__in=["purchase", "grant"]), name="ledger_entry_credits_raise"
            ),
            models.CheckConstraint(
                condition=Q(amount__lt=0) | Q(kind__in=["purchase", "grant", "reversal", "adjustment", "import"]),
                name="ledger_entry_debit_lowers",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {plain(self.amount)} (entry {self.seq})"

    @property
    def kind_label(self) -> str:
        """The same as `get_kind_display()`, which copies all choices each time: most of the time of a row in a list."""
        return self.Kind(self.kind).label

    @property
    def type(self) -> str:
        """The documented API's type: `credit`, `debit` or `adjustment`."""
        return next(type_ for type_, kinds in self.TYPES.items() if self.kind in kinds)


class LedgerSealQuerySet(TenantQuerySet["LedgerSeal"]):
    tenant = "account"


class LedgerSeal(models.Model):
    """The seal of some entries that follow one another: a chain of digests, as events have it. Rows never change.

    `digests` has 32 bytes for each entry from `first_seq` to `last_seq`. Each seals the entry and all before it.
    """

    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, db_index=False, related_name="seals")
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    digests = models.BinaryField(editable=False)
    sealed_at = models.DateTimeField()

    objects: ClassVar[LedgerSealQuerySet] = LedgerSealQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "last_seq"], name="ledger_seal_once"),
            models.CheckConstraint(
                condition=Q(first_seq__gte=1, last_seq__gte=models.F("first_seq")), name="ledger_seal_range"
            ),
        ]

    def __str__(self) -> str:
        return f"entries {self.first_seq} to {self.last_seq}"

    def digest_of(self, seq: int) -> bytes:
        place = (seq - self.first_seq) * DIGEST_BYTES
        return bytes(self.digests[place : place + DIGEST_BYTES])
