"""What operators see of billing."""

from billing.admin import accounts, catalog, ledger, payments

__all__ = ["accounts", "catalog", "ledger", "payments"]
