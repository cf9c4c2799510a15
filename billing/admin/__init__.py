"""What operators see of billing."""

from billing.admin import accounts, catalog, ledger, organizations, payments

__all__ = ["accounts", "catalog", "ledger", "organizations", "payments"]
