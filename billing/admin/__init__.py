"""What operators see of billing."""

from billing.admin import accounts, catalog, change_requests, finance, invoices, ledger, organizations, payments

__all__ = ["accounts", "catalog", "change_requests", "finance", "invoices", "ledger", "organizations", "payments"]
