"""The gate: one answer, the first reason against, and nothing moved."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Membership, Organization
from apikeys import keys
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.models import LedgerEntry, Price
from tests import factories
from tests.apikeys.windows import most_in_a_window
from tests.conftest import Api
from usage import gate
from usage.gate.caller import Caller
from usage.gate.query import Call
from usage.gate.verdict import Code, Verdict

Made = tuple[ApiKey, str]


@pytest.fixture
def made(funded: Organization) -> Made:
    """A key of the funded organization, and its secret."""
    return factories.key(funded, permissions=["messaging:send"])


def ask(secret: str, *, meter: str | None = "sms", quantity: Any = 1, now: Any = None, **fields: Any) -> Verdict:
    """What the gate says to a platform key."""
    call = Call(secret, meter=meter, quantity=Decimal(quantity), **fields)
    verdict = gate.verify(call, Caller(factories.platform_key(), "127.0.0.1"), now or timezone.now())
    assert verdict
    return verdict


def weighed(made: Made, code: Code, cost: Any, available: Any) -> Verdict:
    """The verdict about a call whose price was looked at."""
    key = made[0]
    assert key.organization
    amounts: dict[str, Any] = {"cost": Decimal(cost), "available": Decimal(available)}
    return Verdict(code, key.public_id, key.organization.public_id, tuple(key.permissions), **amounts)


def change(made: Made, **fields: Any) -> None:
    ApiKey.objects.filter(pk=made[0].pk).update(**fields)


def test_a_good_key_is_valid_and_its_call_has_a_cost(made: Made) -> None:
    verdict = ask(made[1], quantity=3, permission="messaging:send")
    assert verdict == weighed(made, Code.VALID, "0.03", 100)


def test_the_gate_moves_nothing(made: Made, funded: Organization) -> None:
    ask(made[1])
    assert LedgerEntry.objects.of(funded).count() == 1
    assert posting.available(funded.pk, timezone.now()) == 100


def test_without_a_meter_a_call_costs_nothing(made: Made) -> None:
    assert ask(made[1], meter=None).cost == 0


@pytest.mark.parametrize("secret", ["", "sk_live_", "sk_live_" + "x" * 40, "nonsense", "\0", "ключ"])
def test_an_unknown_secret_is_not_found(db: None, secret: str) -> None:
    assert ask(secret) == Verdict(Code.NOT_FOUND)


def test_a_platform_key_is_not_a_customers(db: None) -> None:
    assert ask(factories.platform_key()) == Verdict(Code.NOT_FOUND)


def test_a_revoked_key_is_refused_on_the_next_call(made: Made) -> None:
    assert ask(made[1]).code is Code.VALID
    keys.revoke(made[0])
    assert ask(made[1]).code is Code.REVOKED


@pytest.mark.parametrize(("field", "code"), [("disabled_at", Code.DISABLED), ("expires_at", Code.EXPIRED)])
def test_a_key_whose_time_is_over_is_refused(made: Made, field: str, code: Code) -> None:
    change(made, **{field: timezone.now()})
    assert ask(made[1]).code is code


def test_a_key_expires_at_its_moment_and_not_before(made: Made) -> None:
    now = timezone.now()
    change(made, expires_at=now)
    assert ask(made[1], now=now - timedelta(microseconds=1)).code is Code.VALID
    assert ask(made[1], now=now).code is Code.EXPIRED


@pytest.mark.parametrize("permission", ["messaging:read", "messaging", "messaging:*", "", "MESSAGING:SEND"])
def test_a_permission_that_the_key_does_not_have_is_refused(made: Made, permission: str) -> None:
    assert ask(made[1], permission=permission).code is Code.INSUFFICIENT_PERMISSIONS


SOME = ["voice:call", "keys:write", "messaging:send", "usage:read"]


@pytest.fixture
def demoted(funded: Organization) -> str:
    """The secret of a key whose creator, once a developer, is a viewer now."""
    dave = factories.user("dave")
    membership = factories.join(dave, funded, "developer")
    _, secret = factories.key(funded, created_by=dave, permissions=SOME)
    Membership.objects.filter(pk=membership.pk).update(role="viewer")
    return secret


def test_a_scope_that_the_keys_creator_has_lost_is_not_vouched_for(demoted: str) -> None:
    assert ask(demoted).permissions == ("voice:call", "messaging:send", "usage:read")
    assert ask(demoted, permission="keys:write").code is Code.INSUFFICIENT_PERMISSIONS
    assert ask(demoted, permission="usage:read").code is Code.VALID


def test_the_answer_lists_the_permissions_that_the_key_has_now(gateway: Api, demoted: str) -> None:
    body = gateway.post("/v1/keys/verify", {"key": demoted}).json()
    assert body["permissions"] == ["voice:call", "messaging:send", "usage:read"]


@pytest.mark.parametrize("status", ["suspended", "closed"])
@pytest.mark.parametrize("stopped", ["its own", "the root"])
def test_a_stopped_organization_stops_its_keys_and_those_beneath(
    funded: Organization, status: str, stopped: str
) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    _, secret = factories.key(child)
    Organization.objects.filter(pk=child.pk if stopped == "its own" else funded.pk).update(status=status)
    assert ask(secret).code is Code.ORGANIZATION_SUSPENDED


@pytest.mark.parametrize(("quantity", "code"), [(10_000, Code.VALID), (10_001, Code.INSUFFICIENT_CREDITS)])
def test_the_last_credit_may_be_spent_and_no_more(made: Made, quantity: int, code: Code) -> None:
    assert ask(made[1], quantity=quantity).code is code


def test_a_childs_call_is_weighed_against_the_roots_credits(funded: Organization) -> None:
    _, secret = factories.key(Organization.objects.create_child(funded, name="Child"))
    assert ask(secret).available == 100


def test_in_debt_only_what_costs_nothing_is_let_through(made: Made, funded: Organization) -> None:
    posting.post(funded.pk, kind=LedgerEntry.Kind.CAPTURE, amount=Decimal(-150), now=timezone.now())
    assert ask(made[1]) == weighed(made, Code.INSUFFICIENT_CREDITS, "0.01", -50)
    assert ask(made[1], meter=None).code is Code.VALID


def test_without_a_ledger_there_is_nothing_to_spend(organization: Organization) -> None:
    _, secret = factories.key(organization)
    assert ask(secret).code is Code.INSUFFICIENT_CREDITS


def test_a_test_keys_call_costs_nothing(organization: Organization) -> None:
    made = factories.key(organization, environment="test")
    assert ask(made[1], quantity=10**9) == weighed(made, Code.VALID, 0, 0)


def test_a_meter_without_a_price_costs_nothing(made: Made) -> None:
    Price.objects.filter(meter__slug="sms").delete()
    assert ask(made[1]).cost == 0


def test_the_gates_cost_is_the_meters_charge(made: Made) -> None:
    Price.objects.filter(meter__slug="sms").update(unit_amount=Decimal("0.000000001"))
    assert [ask(made[1], quantity=q).cost for q in ("0.5", "1.5", "2.5")] == [0, Decimal("2E-9"), Decimal("2E-9")]


# In the order in which they decide: what is wrong with the key, its organization, or the call.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
WRONGS: list[tuple[Code, dict[str, Any]]] = [
    (Code.REVOKED, {"revoked_at": LONG_AGO}),
    (Code.EXPIRED, {"expires_at": LONG_AGO}),
    (Code.DISABLED, {"disabled_at": LONG_AGO}),
    (Code.IP_NOT_ALLOWED, {"allowed_cidrs": ["10.0.0.0/8"]}),
    (Code.INSUFFICIENT_PERMISSIONS, {"permissions": ["voice:call"]}),
    (Code.ORGANIZATION_SUSPENDED, {}),
    (Code.RATE_LIMITED, {"rate_limit": 1, "rate_limit_window_seconds": 3600}),
    (Code.INSUFFICIENT_CREDITS, {}),
]


@pytest.mark.parametrize("first", range(len(WRONGS)), ids=[code.value for code, _ in WRONGS])
def test_of_several_reasons_the_first_decides(made: Made, funded: Organization, first: int) -> None:
    wrongs = dict(WRONGS[first:])
    if Code.RATE_LIMITED in wrongs:
        change(made, **wrongs[Code.RATE_LIMITED])
        ask(made[1])  # the one call that the limit allows
    if Code.ORGANIZATION_SUSPENDED in wrongs:
        Organization.objects.filter(pk=funded.pk).update(status="suspended")
    change(made, **{field: value for fields in wrongs.values() for field, value in fields.items()}, name="Wrong")
    assert ask(made[1], quantity=10**6, permission="messaging:send", ip="192.0.2.1").code is WRONGS[first][0]


def test_a_secret_under_an_older_pepper_is_found(made: Made, settings: Any) -> None:
    settings.API_KEY_PEPPERS = [(99, b"newer"), *settings.API_KEY_PEPPERS]
    assert ask(made[1]).code is Code.VALID
    assert ask(factories.key(made[0].organization or Organization())[1]).code is Code.VALID


@pytest.mark.parametrize("phase", [0, 1.5, 3, 4.5, 5.9])
def test_at_every_phase_of_a_window_no_more_calls_pass_than_the_limit_says(funded: Organization, phase: float) -> None:
    """Ten calls just before a fixed window would end, and then as many as there may be."""
    _, secret = factories.key(funded, rate_limit=10, rate_limit_window_seconds=6)
    start = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=phase)
    moments = [start + timedelta(seconds=seconds) for seconds in [0] * 12 + [n / 4 for n in range(1, 40)]]
    passed = [now.timestamp() for now in moments if ask(secret, now=now).code is Code.VALID]
    assert most_in_a_window(passed, 6) == 10
    assert passed[10] - passed[0] == 6
