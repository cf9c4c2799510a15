"""Holds and leases over the API."""

from typing import Any

from accounts.models import Organization
from billing.models import LedgerAccount
from tests.conftest import Api

HOLDS = "/v1/credits/holds"
LEASES = "/v1/credits/leases"


def place(client: Api, **body: Any) -> Any:
    return client.post(HOLDS, {"amount": 10, **body})


def resolve(client: Api, hold: Any, verb: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"{HOLDS}/{hold['id']}/{verb}", body or {}, **headers)


def take(gateway: Api, organization: Organization, amount: object = 10, **body: Any) -> Any:
    return gateway.post(LEASES, {"organization": organization.public_id, "amount": amount, **body})


def act(gateway: Api, lease: Any, verb: str, body: Any = None, **headers: str) -> Any:
    return gateway.post(f"{LEASES}/{lease['id']}/{verb}", body or {}, **headers)


def figures(organization: Organization) -> tuple[Any, Any]:
    """Balance and reserved."""
    ledger = LedgerAccount.objects.get(pk=organization.root_id)
    return ledger.balance, ledger.reserved
