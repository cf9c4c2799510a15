"""Reads several things as they were at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction


@contextmanager
def consistent(alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Everything read inside comes from one snapshot, and nothing can be written.

    If the caller has a transaction open, its isolation level applies instead.
    """
    outermost = not connections[alias].in_atomic_block
    with transaction.atomic(using=alias):
        if outermost:
            with connections[alias].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
