"""Changes that the database itself refuses, for everyone."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models import Organization
from billing.models import BillingAccount, Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.attacks import run

# Each would rewrite or remove history.
ATTACKS = [
    "UPDATE billing_ledgerentry SET amount = 1000",
    "UPDATE billing_ledgerentry SET description = 'nothing to see here'",
    "UPDATE billing_ledgerentry SET amount = amount",
    "DELETE FROM billing_ledgerentry",
    "TRUNCATE billing_ledgerentry",
    "TRUNCATE billing_ledgeraccount CASCADE",
    "TRUNCATE accounts_organization CASCADE",
    """INSERT INTO billing_ledgerentry SELECT * FROM billing_ledgerentry
           ON CONFLICT (account_id, seq) DO UPDATE SET amount = 1000""",
    """MERGE INTO billing_ledgerentry e USING billing_ledgeraccount a ON e.account_id = a.organization_id
        WHEN MATCHED THEN DELETE""",
]


def insert(organization: Organization, **values: Any) -> LedgerEntry:
    entry = {"seq": 2, "kind": "grant", "amount": Decimal(1), "balance_after": Decimal(101), **values}
    with transaction.atomic():
        return LedgerEntry.objects.create(account_id=organization.pk, created_at=timezone.now(), **entry)


def entries(organization: Organization) -> list[Any]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values())


@pytest.mark.parametrize("sql", ATTACKS)
def test_history_can_not_be_rewritten(funded: Organization, sql: str) -> None:
    before = entries(funded)
    with pytest.raises(IntegrityError, match="append-only"):
        run(sql)
    assert entries(funded) == before


def test_the_orm_can_not_update_an_entry(funded: Organization) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        LedgerEntry.objects.of(funded).update(amount=Decimal(1000))
    assert entries(funded)[0]["amount"] == 100


def test_the_orm_can_not_save_an_entry_again(funded: Organization) -> None:
    entry = LedgerEntry.objects.of(funded).get()
    entry.amount = Decimal(1000)
    with pytest.raises(DatabaseError, match=r"append-only|not allowed"), transaction.atomic():
        entry.save()
    assert entries(funded)[0]["amount"] == 100


def test_the_orm_can_not_delete_an_entry(funded: Organization) -> None:
    """As the admin's delete action would."""
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        LedgerEntry.objects.of(funded).delete()
    assert len(entries(funded)) == 1


def test_an_organization_with_a_ledger_can_not_be_deleted(funded: Organization) -> None:
    with pytest.raises(IntegrityError):
        run("DELETE FROM accounts_organization WHERE id = %s", funded.pk)
    assert Organization.objects.filter(pk=funded.pk).exists()


@pytest.mark.parametrize("kind", ["purchase", "grant"])
def test_a_credit_can_not_lower_the_balance(funded: Organization, kind: str) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_credits_raise"):
        insert(funded, kind=kind, amount=Decimal(-1))
    assert len(entries(funded)) == 1


@pytest.mark.parametrize("kind", ["usage", "subscription", "capture", "refund", "chargeback", "expiry"])
def test_a_debit_can_not_raise_the_balance(funded: Organization, kind: str) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_debit_lowers"):
        insert(funded, kind=kind, amount=Decimal(1))
    assert len(entries(funded)) == 1


@pytest.mark.parametrize("kind", ["reversal", "adjustment", "import"])
@pytest.mark.parametrize("amount", [Decimal(1), Decimal(-1)])
def test_a_correction_goes_either_way(funded: Organization, kind: str, amount: Decimal) -> None:
    insert(funded, kind=kind, amount=amount)
    assert len(entries(funded)) == 2


def test_an_unknown_kind_can_not_raise_the_balance(funded: Organization) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_debit_lowers"):
        insert(funded, kind="gift")
    assert len(entries(funded)) == 1


@pytest.mark.parametrize("kind", ["purchase", "usage", "adjustment"])
def test_an_entry_of_nothing_is_refused(funded: Organization, kind: str) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_"):
        insert(funded, kind=kind, amount=Decimal(0))
    assert len(entries(funded)) == 1


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"seq": 1}, "ledger_entry_seq"),
        ({"seq": 0}, "ledger_entry_seq_positive"),
        ({"seq": -1}, "ledger_entry_seq_positive"),
        ({"idempotency_key": "once"}, "ledger_entry_idempotency_key"),
    ],
)
def test_the_place_and_the_key_of_an_entry_are_its_own(
    organization: Organization, values: dict[str, Any], constraint: str
) -> None:
    factories.credit(organization, 1)
    insert(organization, seq=3, idempotency_key="once")
    with pytest.raises(IntegrityError, match=constraint):
        insert(organization, **values)
    assert len(entries(organization)) == 2


@pytest.mark.parametrize("column", ["reserved", "credit_limit", "seq"])
def test_an_account_refuses_a_negative(funded: Organization, column: str) -> None:
    with pytest.raises(IntegrityError, match="not_negative"):
        run(f"UPDATE billing_ledgeraccount SET {column} = -1 WHERE organization_id = %s", funded.pk)
    assert LedgerAccount.objects.filter(pk=funded.pk, reserved=0, credit_limit=0, seq=1).exists()


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_hold_of_nothing_is_refused(funded: Organization, amount: str) -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError, match="hold_amount_positive"), transaction.atomic():
        Hold.objects.create(
            account_id=funded.pk, organization=funded, amount=Decimal(amount), created_at=now, expires_at=now
        )
    assert not Hold.objects.of(funded).exists()


def test_a_child_can_not_have_a_ledger(organization: Organization) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    with pytest.raises(IntegrityError, match="ledger_account_on_root"), transaction.atomic():
        LedgerAccount.objects.create(organization=child)
    assert not LedgerAccount.objects.of(child).exists()


def test_a_child_can_not_have_a_billing_account(organization: Organization) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    with pytest.raises(IntegrityError, match="billing_account_on_root"), transaction.atomic():
        BillingAccount.objects.create(organization=child, name="Child", email="c@example.com", country="US")
    assert not BillingAccount.objects.of(child).exists()


def test_a_root_that_pays_can_not_become_a_child(funded: Organization, charlie: Any) -> None:
    parent = charlie.current_organization
    path = [parent.pk, funded.pk]
    with pytest.raises(IntegrityError, match="ledger_account_on_root"), transaction.atomic():
        Organization.objects.filter(pk=funded.pk).update(parent=parent, root=parent, path=path)
    assert Organization.objects.get(pk=funded.pk).is_root


def test_an_organization_has_one_billing_account(organization: Organization) -> None:
    factories.billing_account(organization)
    with pytest.raises(IntegrityError), transaction.atomic():
        BillingAccount.objects.create(organization=organization, name="Second", email="s@example.com", country="US")
    assert BillingAccount.objects.of(organization).get().name == "Acme Inc."


def test_an_account_can_not_be_owned_by_nobody(db: None) -> None:
    nobody = identifiers.uuid7()
    with pytest.raises(IntegrityError):
        run(
            "INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at) "
            "VALUES (%s, 0, 0, 0, 0, now())",
            nobody,
        )
    assert not LedgerAccount.objects.filter(pk=nobody).exists()


HOT_TABLES = ["ledgeraccount", "ledgerentry", "hold", "grant", "spending", "move"]


@pytest.mark.parametrize("table", HOT_TABLES)
def test_the_payer_leads_every_unique_key(db: None, table: str) -> None:
    """So that the tables can be distributed by payer."""
    leading = """
        SELECT i.indisprimary, a.attname FROM pg_index i
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = %s::regclass AND i.indisunique"""
    with connection.cursor() as cursor:
        cursor.execute(leading, [f"billing_{table}"])
        columns = cursor.fetchall()
    payer = "organization_id" if table == "ledgeraccount" else "account_id"
    assert {column for _, column in columns} == {payer}
    assert [is_primary for is_primary, _ in columns].count(True) == 1
