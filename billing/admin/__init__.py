"""What operators see of billing."""

from billing.admin import accounts, catalog, invoices, ledger, organizations, payments

__all__ = ["accounts", "catalog", "invoices", "ledger", "organizations", "payments"]
