"""The verbs of the ledger, one caller at a time."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Organization
from billing.exceptions import BalanceOutOfRange, NotEnoughCredits, PostingConflict
from billing.ledger import balances, posting
from billing.models import LedgerAccount, LedgerEntry
from tests import factories

Kind = LedgerEntry.Kind


def balance(organization: Organization) -> Decimal:
    amount: Decimal = LedgerAccount.objects.get(pk=organization.pk).balance
    return amount


def entries(organization: Organization) -> list[tuple[int, Decimal, Decimal]]:
    rows = LedgerEntry.objects.of(organization).order_by("seq")
    return list(rows.values_list("seq", "amount", "balance_after"))


def test_the_first_movement_opens_the_account(organization: Organization) -> None:
    posted = posting.post(organization.pk, kind=Kind.GRANT, amount=Decimal(5), now=timezone.now())
    assert posted == balances.Posting(organization.pk, 1, Decimal(5))
    assert entries(organization) == [(1, Decimal(5), Decimal(5))]


def test_entries_count_from_one_and_carry_the_balance_they_left(organization: Organization) -> None:
    for amount in ("10", "0.000000001", "2.5"):
        factories.credit(organization, amount)
    posting.debit(organization.pk, kind=Kind.SUBSCRIPTION, amount=Decimal("4.5"), now=timezone.now())
    assert entries(organization) == [
        (1, Decimal(10), Decimal(10)),
        (2, Decimal("0.000000001"), Decimal("10.000000001")),
        (3, Decimal("2.5"), Decimal("12.500000001")),
        (4, Decimal("-4.5"), Decimal("8.000000001")),
    ]


def test_each_account_counts_for_itself(organization: Organization, charlie: Any) -> None:
    factories.credit(organization, 1)
    factories.credit(organization, 1)
    assert factories.credit(charlie.current_organization, 1).seq == 1


def test_an_entry_keeps_what_was_said_about_it(organization: Organization) -> None:
    metadata = {"by": "eve", "rate": Decimal("0.1234567890123456789")}
    details: posting.Details = {"description": "Sorry", "reference": "ticket-7", "metadata": metadata}
    posting.post(organization.pk, kind=Kind.ADJUSTMENT, amount=Decimal(1), **details, now=timezone.now())
    entry = LedgerEntry.objects.of(organization).get()
    assert {name: getattr(entry, name) for name in details} == details


def test_a_debit_may_take_the_last_credit(funded: Organization) -> None:
    posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(100), now=timezone.now())
    assert balance(funded) == 0


def test_a_debit_beyond_what_is_available_changes_nothing(funded: Organization) -> None:
    with pytest.raises(NotEnoughCredits) as refusal:
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal("100.000000001"), now=timezone.now())
    assert refusal.value.members == {"available": Decimal(100)}
    assert balance(funded) == 100
    assert len(entries(funded)) == 1


def test_what_is_reserved_can_not_be_debited(funded: Organization) -> None:
    LedgerAccount.objects.of(funded).update(reserved=Decimal(30))
    with pytest.raises(NotEnoughCredits):
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(71), now=timezone.now())
    assert posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(70), now=timezone.now()).balance_after == 30


def test_a_credit_limit_can_be_debited_to_its_end(funded: Organization) -> None:
    LedgerAccount.objects.of(funded).update(credit_limit=Decimal(50))
    assert (
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(150), now=timezone.now()).balance_after == -50
    )
    with pytest.raises(NotEnoughCredits):
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal("0.000000001"), now=timezone.now())


def test_a_debit_without_an_account_is_refused_and_opens_none(organization: Organization) -> None:
    with pytest.raises(NotEnoughCredits) as refusal:
        posting.debit(organization.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(1), now=timezone.now())
    assert refusal.value.members == {"available": Decimal(0)}
    assert not LedgerAccount.objects.of(organization).exists()


def test_settlement_into_debt_is_never_refused(funded: Organization) -> None:
    posted = posting.post(funded.pk, kind=Kind.CAPTURE, amount=Decimal(-250), now=timezone.now())
    assert posted.balance_after == -150


def test_a_debt_refuses_the_next_debit(funded: Organization) -> None:
    posting.post(funded.pk, kind=Kind.CAPTURE, amount=Decimal(-101), now=timezone.now())
    with pytest.raises(NotEnoughCredits) as refusal:
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal("0.1"), now=timezone.now())
    assert refusal.value.members == {"available": Decimal(-1)}


def test_available_is_the_balance_less_what_is_reserved_plus_the_limit(funded: Organization) -> None:
    LedgerAccount.objects.of(funded).update(reserved=Decimal(30), credit_limit=Decimal(7))
    assert posting.available(funded.pk, timezone.now()) == 77


def test_nothing_is_available_without_an_account(organization: Organization) -> None:
    assert posting.available(organization.pk, timezone.now()) == 0


@pytest.mark.parametrize("amount", [Decimal("0.0000000005"), Decimal("1.00000000050"), Decimal("1E-10")])
def test_an_amount_that_would_have_to_be_rounded_is_refused(organization: Organization, amount: Decimal) -> None:
    """Rounded by the database, an entry and the balance that it leaves could round apart."""
    factories.credit(organization, 1)
    with pytest.raises(ValueError, match="decimals"):
        posting.post(organization.pk, kind=Kind.ADJUSTMENT, amount=-amount, now=timezone.now())
    assert entries(organization) == [(1, Decimal(1), Decimal(1))]


def test_a_repeated_key_posts_once_and_answers_alike(organization: Organization) -> None:
    first, second = [
        posting.post(
            organization.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now()
        )
        for _ in range(2)
    ]
    assert first == second
    assert entries(organization) == [(1, Decimal(9), Decimal(9))]


def test_a_replay_tells_the_balance_of_the_first_posting(organization: Organization) -> None:
    first = posting.post(
        organization.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now()
    )
    factories.credit(organization, 1)
    again = posting.post(
        organization.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now()
    )
    assert again == first


@pytest.mark.parametrize(
    ("kind", "amount"), [(Kind.PURCHASE, "8"), (Kind.GRANT, "9"), (Kind.ADJUSTMENT, "9"), (Kind.USAGE, "-9")]
)
def test_a_key_of_another_movement_is_a_conflict(
    organization: Organization, kind: LedgerEntry.Kind, amount: str
) -> None:
    posting.post(
        organization.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now()
    )
    with pytest.raises(PostingConflict):
        posting.post(
            organization.pk, kind=kind, amount=Decimal(amount), idempotency_key="payment:1", now=timezone.now()
        )
    assert balance(organization) == 9


def test_a_key_is_an_accounts_own(organization: Organization, charlie: Any) -> None:
    for owner in (organization, charlie.current_organization):
        posting.post(owner.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now())
    assert balance(organization) == balance(charlie.current_organization) == 9


def test_a_debit_is_replayed_when_the_balance_is_gone(funded: Organization) -> None:
    def debit() -> balances.Posting:
        return posting.debit(
            funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(100), idempotency_key="sub:1", now=timezone.now()
        )

    first = debit()
    assert debit() == first
    assert balance(funded) == 0


def test_a_refused_debit_leaves_its_key_free(organization: Organization) -> None:
    def debit() -> balances.Posting:
        return posting.debit(
            organization.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(5), idempotency_key="sub:1", now=timezone.now()
        )

    with pytest.raises(NotEnoughCredits):
        debit()
    factories.credit(organization, 5)
    assert debit().balance_after == 0


@pytest.mark.parametrize("options", [{}, {"idempotency_key": "once"}])
def test_a_movement_against_its_kind_is_no_replay_but_an_error(
    organization: Organization, options: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_credits_raise"), transaction.atomic():
        posting.post(organization.pk, kind=Kind.GRANT, amount=Decimal(-1), **options, now=timezone.now())
    assert entries(organization) == []


def test_a_conflict_leaves_the_callers_transaction_usable(organization: Organization) -> None:
    posting.post(
        organization.pk, kind=Kind.PURCHASE, amount=Decimal(9), idempotency_key="payment:1", now=timezone.now()
    )
    with transaction.atomic():
        with pytest.raises(PostingConflict):
            posting.post(
                organization.pk, kind=Kind.PURCHASE, amount=Decimal(8), idempotency_key="payment:1", now=timezone.now()
            )
        factories.credit(organization, 1)
    assert balance(organization) == 10


def test_a_posting_goes_with_the_transaction_that_made_it(funded: Organization) -> None:
    with transaction.atomic():
        posting.debit(funded.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(1), now=timezone.now())
        transaction.set_rollback(True)
    assert entries(funded) == [(1, Decimal(100), Decimal(100))]


@pytest.mark.parametrize("post", [posting.post, posting.lock])
def test_an_organization_that_does_not_exist_gets_no_account(db: None, post: Callable[..., object]) -> None:
    nobody = uuid4()
    arguments = {"kind": Kind.GRANT, "amount": Decimal(1)} if post is posting.post else {}
    now = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        post(nobody if arguments else [nobody], now=now, **arguments)
    assert not LedgerAccount.objects.filter(pk=nobody).exists()


def test_locking_opens_what_is_missing_at_zero(funded: Organization, charlie: Any) -> None:
    other = charlie.current_organization
    with transaction.atomic():
        locked = posting.lock([funded.pk, other.pk, funded.pk], timezone.now())
    assert {account: state.seq for account, state in locked.items()} == {funded.pk: 1, other.pk: 0}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_balance_out_of_range_is_a_refusal_and_nothing_changed(organization: Organization, sign: int) -> None:
    most = sign * (Decimal(10) ** 15 - 1)
    posting.post(organization.pk, kind=Kind.ADJUSTMENT, amount=most, now=timezone.now())
    with pytest.raises(BalanceOutOfRange), transaction.atomic():
        posting.post(organization.pk, kind=Kind.ADJUSTMENT, amount=Decimal(sign), now=timezone.now())
    assert LedgerAccount.objects.get(pk=organization.pk).balance == most


def test_usage_that_leads_out_of_range_is_refused(organization: Organization) -> None:
    posting.post(organization.pk, kind=Kind.ADJUSTMENT, amount=1 - Decimal(10) ** 15, now=timezone.now())
    posting.lock([organization.pk], timezone.now())
    with pytest.raises(BalanceOutOfRange), transaction.atomic():
        balances.post_usage({organization.pk: Decimal(1)}, timezone.now())


def test_usage_is_one_entry_a_payer(funded: Organization, charlie: Any) -> None:
    other: UUID = charlie.current_organization.pk
    with transaction.atomic():
        posting.lock([funded.pk, other], timezone.now())
        now = timezone.now()
        postings = balances.post_usage({funded.pk: Decimal("1.5"), other: Decimal("0.000000001")}, now)
    assert set(postings) == {
        balances.Posting(funded.pk, 2, Decimal("98.5")),
        balances.Posting(other, 1, Decimal("-0.000000001")),
    }
    assert LedgerEntry.objects.get(account_id=other).created_at == now


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("purchase", "credit"), ("grant", "credit"), ("usage", "debit"), ("subscription", "debit"),
        ("capture", "debit"), ("refund", "debit"), ("chargeback", "debit"), ("expiry", "debit"),
        ("reversal", "adjustment"), ("adjustment", "adjustment"), ("import", "adjustment"),
    ],
)  # fmt: skip
def test_each_kind_has_its_documented_type(kind: str, type_: str) -> None:
    assert LedgerEntry(kind=kind).type == type_


def test_there_is_no_kind_without_a_type() -> None:
    assert sorted(kind for kinds in LedgerEntry.TYPES.values() for kind in kinds) == sorted(Kind.values)
