"""What the page of a customer shows: one table a subject, each only to those who may see its rows."""

from collections.abc import Callable, Iterator

from usage.admin.sections import access, money
from usage.admin.sections.table import Customer, Section

SECTIONS: tuple[tuple[str, Callable[[Customer], Section]], ...] = (
    ("billing.view_changerequest", money.requests),
    ("accounts.view_user", access.people),
    ("accounts.view_organization", access.tree),
    ("billing.view_grant", money.lots),
    ("billing.view_hold", money.holds),
    ("billing.view_ledgerentry", money.entries),
    ("billing.view_payment", money.payments),
    ("billing.view_paymentmethod", money.cards),
    ("billing.view_invoice", money.papers),
    ("billing.view_subscription", money.plans),
    ("apikeys.view_apikey", access.keys),
    ("accounts.view_webhookendpoint", access.webhooks),
    ("accounts.view_event", access.events),
    ("accounts.view_visit", access.visits),
)


def of(customer: Customer) -> Iterator[Section]:
    for permission, make in SECTIONS:
        if customer.may(permission):
            yield make(customer)
