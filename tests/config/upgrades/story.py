"""What an installation has gone through when it is upgraded: something in every table, and one request of each sort."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from accounts import security, signing, tokens
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.invoicing import subscriptions
from billing.models import (
    AutoRecharge,
    EndpointPrice,
    LedgerEntry,
    Meter,
    Move,
    Plan,
    PlanAllowance,
    Price,
    PriceTier,
    SandboxObject,
)
from tests import factories
from tests.conftest import Api
from usage.models import RetiredPartition

LOG = '203.0.113.9 - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET /logged/{n} HTTP/1.1" 200 5\n'


@dataclass(frozen=True)
class Customer:
    organization: Organization
    child: Organization
    key: ApiKey
    api: Api


@dataclass(frozen=True)
class Cast:
    customers: tuple[Customer, Customer]
    gateway: Api


def sent(answer: Any) -> Any:
    assert answer.status_code in (200, 201, 204), (answer.status_code, answer.content)
    return answer.json() if answer.content else None


def fill() -> Cast:
    _catalog()
    gateway = Api(factories.platform_key())
    first, second = (_customer(gateway, zone) for zone in ("Asia/Kathmandu", "America/New_York"))
    signing.rotate()
    for number, month in enumerate((datetime(2020, 1, 1), datetime(2020, 2, 1))):
        RetiredPartition.objects.create(month=month)
        SandboxObject.objects.create(id=f"cus_sandbox{number}", kind="customer", body={"name": "Old"})
    return Cast((first, second), gateway)


def _catalog() -> None:
    """Prices in tiers, prices by endpoint, and a plan with included quantities."""
    plan = Plan.objects.create(slug="team", name="Team", monthly_price=0)
    for meter in Meter.objects.filter(slug__in=["sms", "voice"]):
        price, _ = Price.objects.get_or_create(meter=meter, defaults={"unit_amount": Decimal("0.01")})
        PriceTier.objects.create(price=price, up_to=10, unit_amount=Decimal("0.02"))
        EndpointPrice.objects.create(meter=meter, endpoint="/dear", unit_amount=Decimal("0.5"))
        PlanAllowance.objects.create(plan=plan, meter=meter, included_quantity=5)


def _customer(gateway: Api, zone: str) -> Customer:
    owner = factories.user("owner", timezone=zone)
    organization = owner.current_organization
    assert organization
    Organization.objects.filter(pk=organization.pk).update(timezone=zone)
    organization.refresh_from_db()
    factories.card(organization)
    factories.credit(organization, 100)
    security.change(organization, {"allowed_email_domains": ["example.com"]}, by=factories.operator(), address="")
    tokens.issue(owner, organization)
    factories.invitation(organization, "invited@example.com", by=owner)
    factories.join(factories.user("viewer"), organization, "viewer")
    child = Organization.objects.create_child(organization, name="Child")
    key, secret = factories.key(
        organization,
        created_by=owner,
        permissions=[
            *("account:read", "account:write", "keys:read", "keys:write", "credits:read", "credits:write"),
            *("billing:read", "billing:write", "usage:read", "audit:read"),
        ],
        rate_limit=1000,
        rate_limit_window_seconds=60,
    )
    customer = Customer(organization, child, key, Api(secret))
    AutoRecharge.objects.create(organization=organization)
    paths = {"path_before": child.path, "path_after": child.path}
    moved = {"organization_id": child.pk, "seq": 0, "moved_at": timezone.now()}
    Move.objects.create(account_id=organization.pk, number=1, **paths, **moved)
    subscriptions.subscribe(organization, "team", now=timezone.now())
    _import_log(organization)
    for _, answer in requests(Cast((customer, customer), gateway)):
        answer()
    return customer


def _import_log(organization: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        log.write_text("".join(LOG.format(time=datetime.now(UTC) - timedelta(hours=1), n=n) for n in range(3)))
        call_command(
            "import_access_log",
            str(log),
            "--organization",
            organization.public_id,
            "--meter",
            "requests",
            stdout=StringIO(),
        )


def requests(cast: Cast) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Requests of customers and of the gateway: a title, and what sends it. Each may use the answers before it."""
    ours, theirs = cast.customers
    gateway, answers = cast.gateway, {}
    month_ago = (timezone.now() - timedelta(days=31)).isoformat()
    name = {"organization": ours.organization.public_id}

    def post(title: str, path: str, body: Any = None, api: Api = ours.api, verb: str = "post", **headers: str) -> Any:
        def send() -> None:
            answers[title] = sent(getattr(api, verb)(path, body, **headers))

        return title, send

    yield post("hold", "/v1/credits/holds", {"amount": 2, **name}, gateway)
    yield post("another hold", "/v1/credits/holds", {"amount": 1}, idempotency_key=factories.unique("hold"))
    yield post("a third hold", "/v1/credits/holds", {"amount": 1})
    yield post("capture", f"/v1/credits/holds/{answers['another hold']['id']}/capture", {"amount": 1.5})
    yield post("release", f"/v1/credits/holds/{answers['a third hold']['id']}/release")
    yield post("lease", "/v1/credits/leases", {"amount": 3, "key_id": ours.key.public_id, **name}, gateway)
    yield post("extend", f"/v1/credits/leases/{answers['lease']['id']}/extend", {"amount": 1}, gateway)
    batch = [
        {"key_id": ours.key.public_id, "meter": "requests", "endpoint": "/a"},
        {"key_id": ours.key.public_id, "meter": "sms", "quantity": 12, "hold": answers["hold"]["id"]},
        {"key_id": ours.key.public_id, "meter": "requests", "hold": answers["lease"]["id"], "status": 500},
        {**name, "meter": "voice", "quantity": 4, "occurred_at": month_ago, "properties": {"call": [1, 2.5]}},
        {"organization": ours.child.public_id, "meter": "voice", "endpoint": "/dear", "quantity": 2},
        {"organization": theirs.organization.public_id, "meter": "requests"},
    ]
    events = [{"id": factories.unique("event"), **event} for event in batch]
    yield post("events", "/v1/usage/events", {"events": [*events, events[0]]}, gateway)
    yield post("event", "/v1/usage/events", {"id": factories.unique("event"), **batch[0]}, gateway)
    reason = {**name, "reason": "Not delivered"}
    for event in (events[1], events[3]):
        yield post(f"void of {event['meter']}", f"/v1/usage/events/{event['id']}/void", reason, gateway)
    yield post("return", f"/v1/credits/leases/{answers['lease']['id']}/return", {}, gateway)
    secret = ours.api.headers["authorization"].removeprefix("Bearer ")
    yield post("verify", "/v1/keys/verify", {"key": secret, "meter": "requests"}, gateway)
    yield post("verify with a hold", "/v1/keys/verify", {"key": secret, "meter": "sms", "hold_seconds": 60}, gateway)
    key = factories.unique("purchase")
    yield post("purchase", "/v1/credits/purchases", {"amount": "10.50"}, idempotency_key=key)
    yield post("adjustment", "/v1/credits/adjustments", {**reason, "amount": 5}, gateway)
    entry = LedgerEntry.objects.of(ours.organization).filter(kind="adjustment", amount=5).latest("seq")
    yield post("reversal", f"/v1/ledger/{entry.seq}/reverse", reason, gateway)
    yield post("low balance", "/v1/credits/alerts", {"low_balance": 1000}, verb="put")
    yield post("key", "/v1/account/api-keys", {"name": "New", "permissions": ["usage:read"], "monthly_budget": 4})
    path = f"/v1/account/api-keys/{answers['key']['key_id']}"
    yield post("change of a key", path, {"enabled": False}, verb="patch")
    yield post("rotation", f"{path}/rotate", {"overlap_seconds": 60})
    yield post("revocation", path, verb="delete")
    yield post("child", "/v1/organizations", {"name": "New child"})
    grandchild = f"/v1/organizations/{answers['child']['id']}"
    yield post("budget", f"{grandchild}/budget", {"monthly_budget": 9})
    yield post("move", f"{grandchild}/move", {"parent": ours.child.public_id})
    yield post("suspension", f"{grandchild}/suspend")
    yield post("resumption", f"{grandchild}/resume")
    yield post("usage", "/auth/account/usage?period=yearly", verb="get")
    yield post("credits", "/auth/account/credits", verb="get")
    yield post("ledger", "/auth/account/ledger?limit=3", verb="get")
    yield post("summary", "/auth/account/summary", verb="get")
    yield post("series", "/v1/usage?group_by=meter,endpoint,key,organization", verb="get")
    yield post("details", "/v1/account/details", verb="get")
    yield post("events of the organization", "/v1/events", verb="get")
