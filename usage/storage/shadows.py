"""Copies of some payers' rows, for a database whose tables are distributed: checks that compare rows of all kinds are
refused there, or would move whole tables between machines.

A copy is a temporary table of the same name, so statements that name the table without its schema read the copy.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction

from accounts.lib import sql
from billing.models import LedgerAccount
from usage.storage.distributing import ACCOUNTS, HOT

COPY = """
CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS SELECT * FROM public.{table} WHERE {column} = ANY(%(payers)s::uuid[])
"""


@contextmanager
def of(payers: Collection[UUID]) -> Iterator[None]:
    """The copies exist within this block. The payers are locked, so that nothing moves between two copies."""
    with transaction.atomic():
        for payer in sorted(payers):
            LedgerAccount.objects.select_for_update(no_key=True).filter(pk=payer).first()
        with connection.cursor() as cursor:
            for table in HOT:
                column = "organization_id" if table == ACCOUNTS else "account_id"
                cursor.execute(sql.compose(COPY, table=table, column=column), {"payers": list(payers)})
                cursor.execute(f"ANALYZE pg_temp.{table}")
            yield
            for table in HOT:
                cursor.execute(f"DROP TABLE pg_temp.{table}")
