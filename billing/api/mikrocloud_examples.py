"""The examples of MikroCloud's reference, for the OpenAPI schema."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

NO_ADDRESS = {"city": "", "country": "AU", "line1": "", "line2": "", "postal_code": "", "state": ""}
ADDRESS = {
    "city": "Melbourne",
    "country": "AU",
    "line1": "123 Mikro St",
    "line2": "Apt 4B",
    "postal_code": "3000",
    "state": "VIC",
}
NEW = {"name": "Hannes Kruger", "email": "hannes@mikrocloud.com", "address": {"country": "AU"}}
CHANGED = {"name": "Hannes Kruger", "email": "hkruger@mikrocloud.com", "address": ADDRESS}
NO_ACCOUNT = {
    "message": "You need to create an account first",
    "documentation_url": "https://docs.mikrocloud.com/api/accounts#create-an-account",
}


def account(**members: Any) -> dict[str, Any]:
    """The account object of the reference, with some members replaced."""
    documented = {"id": "cus_OdMmvWHZ8Y2rEH", **NEW, "currency": "USD", "balance": 0, "address": NO_ADDRESS}
    return {**documented, **members, "created_at": "2023-09-14 03:16:36"}


MISSING = OpenApiExample("No account", NO_ACCOUNT, response_only=True, status_codes=["422"])
RETRIEVED = [OpenApiExample("Account", account(), response_only=True, status_codes=["200"]), MISSING]
CREATED = [
    OpenApiExample("Create", NEW, request_only=True),
    OpenApiExample("Created", account(currency=""), response_only=True, status_codes=["201"]),
]
UPDATED = [
    OpenApiExample("Update", CHANGED, request_only=True),
    OpenApiExample("Updated", account(**CHANGED), response_only=True, status_codes=["200"]),
    MISSING,
]
