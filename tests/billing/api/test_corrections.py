"""POST /v1/ledger/{id}/reverse and /v1/credits/adjustments; and the same in the admin."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from accounts import people
from accounts.models import Event, Organization, User
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.models import Grant, LedgerAccount, LedgerEntry
from tests.conftest import Api

ADJUSTMENTS = "/v1/credits/adjustments"


def reverse(gateway: Api, organization: Organization, seq: object, **params: Any) -> Any:
    body = {"organization": organization.public_id, "reason": "A mistake", **params}
    return gateway.post(f"/v1/ledger/{seq}/reverse", body)


def adjust(gateway: Api, organization: Organization, amount: object, **params: Any) -> Any:
    return gateway.post(
        ADJUSTMENTS, {"organization": organization.public_id, "reason": "Sorry", "amount": amount, **params}
    )


def balance(organization: Organization) -> Decimal:
    return LedgerAccount.objects.get(pk=organization.pk).balance  # type: ignore[no-any-return]


def test_an_entry_is_reversed_with_a_reason(gateway: Api, funded: Organization) -> None:
    answer = reverse(gateway, funded, 1)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown.pop("created_at")
    assert shown == {
        "id": 2,
        "user_id": None,
        "type": "adjustment",
        "amount": -100,
        "balance_after": 0,
        "description": "A mistake",
        "reference": "",
        "metadata": {},
        "reverses": 1,
    }
    key = ApiKey.objects.platform().get().public_id
    assert LedgerEntry.objects.get(account=funded.pk, seq=2).actor == key
    assert Event.objects.get(type="ledger.reversed").actor == {"kind": "platform_key", "id": key}


def test_the_answer_is_the_entry_as_the_ledger_shows_it(
    gateway: Api, api: Any, alice: User, funded: Organization
) -> None:
    shown = reverse(gateway, funded, 1).json()
    listed = api(alice).get("/auth/account/ledger").json()["results"][0]
    assert shown.keys() - listed.keys() == {"reverses"}
    assert {name: shown[name] for name in listed if name != "user_id"} == {
        name: value for name, value in listed.items() if name != "user_id"
    }


def test_a_second_reversal_is_a_conflict_that_names_the_first(gateway: Api, funded: Organization) -> None:
    reverse(gateway, funded, 1)
    answer = reverse(gateway, funded, 1)
    assert (answer.status_code, answer.json()["code"], answer.json()["reversal"]) == (409, "already_reversed", 2)
    assert balance(funded) == 0


def test_a_repetition_with_the_same_key_is_the_same_answer(gateway: Api, funded: Organization) -> None:
    body = {"organization": funded.public_id, "reason": "A mistake"}
    first, again = (gateway.post("/v1/ledger/1/reverse", body, idempotency_key="r1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("path", ["/v1/ledger/2/reverse", ADJUSTMENTS])
def test_a_repetition_gets_the_first_answer_after_the_expiry_as_well(
    gateway: Api, funded: Organization, path: str
) -> None:
    posting.post(funded.pk, kind=LedgerEntry.Kind.SUBSCRIPTION, amount=Decimal(-5), now=timezone.now())
    soon = timezone.now() + timedelta(minutes=5)
    params = {"amount": 1} if path == ADJUSTMENTS else {}
    body = {"organization": funded.public_id, "reason": "Sorry", "expires_at": soon.isoformat(), **params}
    first = gateway.post(path, body, idempotency_key="r1")
    with travel(soon + timedelta(minutes=1)):
        again = gateway.post(path, body, idempotency_key="r1")
    assert (again.status_code, again.json()) == (201, first.json())


@pytest.mark.parametrize(("kind", "code"), [("usage", "corrected_by_void"), ("reversal", "not_reversible")])
def test_what_is_corrected_otherwise_is_a_conflict(gateway: Api, funded: Organization, kind: str, code: str) -> None:
    posted = posting.post(funded.pk, kind=LedgerEntry.Kind(kind), amount=Decimal(-5), now=timezone.now())
    answer = reverse(gateway, funded, posted.seq)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert balance(funded) == 95


def test_an_unknown_entry_and_an_unknown_organization_are_not_found(gateway: Api, funded: Organization) -> None:
    for seq in (2, 0, 10**17):
        assert reverse(gateway, funded, seq).status_code == 404
    unknown = Organization(public_id="acct_0000000000000000")
    assert reverse(gateway, unknown, 1).status_code == 404
    assert adjust(gateway, unknown, 1).status_code == 404
    assert reverse(gateway, funded, "one").status_code == 404


def test_an_entry_of_another_account_is_not_found(gateway: Api, funded: Organization, charlie: User) -> None:
    assert reverse(gateway, charlie.current_organization, 1).status_code == 404  # type: ignore[arg-type]
    assert balance(funded) == 100


def test_a_child_has_no_ledger(gateway: Api, funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    for answer in (reverse(gateway, child, 1), adjust(gateway, child, 1)):
        assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")


def test_what_a_reversal_gives_back_may_expire(gateway: Api, funded: Organization) -> None:
    debit = posting.post(funded.pk, kind=LedgerEntry.Kind.SUBSCRIPTION, amount=Decimal(-5), now=timezone.now())
    soon = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    assert reverse(gateway, funded, debit.seq, expires_at=soon.isoformat()).status_code == 201
    assert Grant.objects.get(account=funded.pk, entry_seq=3).expires_at == soon


def test_an_adjustment_of_either_sign_is_posted(gateway: Api, funded: Organization) -> None:
    answer = adjust(gateway, funded, "-100.5")
    assert answer.status_code == 201
    assert (answer.json()["amount"], answer.json()["balance_after"], answer.json()["reverses"]) == (-100.5, -0.5, None)
    assert adjust(gateway, funded, 2).json()["balance_after"] == 1.5


BAD: dict[str, list[Any]] = {
    "amount": [0, "0.0", "x", None, True, 10**9 + 1, "-1000000000.1", "0.0000000001", []],
    "reason": ["", "  ", None, "a" * 201, "a\nb", "a\0b", ["a"], {}],
    "expires_at": ["2001-01-01", "soon", 5],
    "organization": [None, "a" * 22, {}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_bad_value_is_named_and_nothing_is_posted(gateway: Api, funded: Organization, field: str, value: Any) -> None:
    body = {"organization": funded.public_id, "reason": "Sorry", "amount": 1, field: value}
    answer = gateway.post(ADJUSTMENTS, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{field}"
    assert balance(funded) == 100


def test_customers_correct_nothing(api: Any, alice: User, funded: Organization) -> None:
    """Refused before anything is read: an unknown organization and a bad body make no difference."""
    for path in ("/v1/ledger/1/reverse", ADJUSTMENTS):
        bodies: tuple[Any, ...] = ({"organization": funded.public_id, "reason": "x", "amount": 5}, {}, [])
        for body in bodies:
            answer = api(alice).post(path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "platform_key_required")
    assert balance(funded) == 100
