"""Idempotency-Key: the same key and body get the first answer again, and the effect happens once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from accounts import idempotency, tasks, tokens
from accounts.models import IdempotencyRecord, Organization, User
from apikeys.models import ApiKey
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.leaks import tables_with

PATH = "/v1/organizations"
KEYS = "/v1/account/api-keys"


def children(organization: Organization) -> int:
    return Organization.objects.filter(parent=organization).count()


def test_a_repetition_gets_the_first_answer_to_the_byte(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    first = client.post(PATH, {"name": "Once"}, idempotency_key="k")
    again = client.post(PATH, {"name": "Once"}, idempotency_key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert children(organization) == 1


def test_without_a_key_every_request_has_its_effect(api: Any, alice: User, organization: Organization) -> None:
    for _ in range(2):
        api(alice).post(PATH, {"name": "Each"})
    assert children(organization) == 2
    assert not IdempotencyRecord.objects.exists()


def test_another_spelling_of_the_same_body_is_the_same(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    client.post(PATH, '{"name": "A", "timezone": "UTC"}', idempotency_key="k")
    again = client.post(PATH, ' {"timezone":"UTC",\n"name":"\\u0041"}', idempotency_key="k")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_another_body_with_the_key_is_refused(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    client.post(PATH, {"name": "One"}, idempotency_key="k")
    refused = client.post(PATH, {"name": "Two"}, idempotency_key="k")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert children(organization) == 1


def test_another_path_with_the_key_is_refused(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    client.post(PATH, {"name": "One"}, idempotency_key="k")
    assert client.post(KEYS, {"name": "One"}, idempotency_key="k").status_code == 422
    assert not ApiKey.objects.exists()


def test_a_key_is_a_credentials_own(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["account:write"])
    for client in (api(alice), api(secret)):
        response = client.post(PATH, {"name": "Mine"}, idempotency_key="k")
        assert "Idempotent-Replayed" not in response.headers
    assert children(organization) == 2


def test_a_key_is_an_organizations_own(api: Any, alice: User, organization: Organization) -> None:
    elsewhere = factories.organization(owner=alice)
    here, there = api(alice), api(tokens.issue(alice, elsewhere).access)
    here.post(PATH, {"name": "Mine"}, idempotency_key="k")
    there.post(PATH, {"name": "Mine"}, idempotency_key="k")
    assert (children(organization), children(elsewhere)) == (1, 1)


def test_another_sign_in_of_the_person_gets_the_replay(api: Any, alice: User, organization: Organization) -> None:
    api(alice).post(PATH, {"name": "Once"}, idempotency_key="k")
    again = api(alice).post(PATH, {"name": "Once"}, idempotency_key="k")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_who_may_no_longer_do_it_gets_no_replay(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    client.post(PATH, {"name": "Once"}, idempotency_key="k")
    organization.memberships.update(role="viewer")
    assert client.post(PATH, {"name": "Once"}, idempotency_key="k").status_code == 403


def test_a_key_is_good_for_a_day(api: Any, alice: User, organization: Organization) -> None:
    api(alice).post(PATH, {"name": "Once"}, idempotency_key="k")
    with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=59), tick=False):
        api(alice).post(PATH, {"name": "Once"}, idempotency_key="k")
        assert children(organization) == 1
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1), tick=False):
        assert api(alice).post(PATH, {"name": "Other"}, idempotency_key="k").status_code == 201
    assert children(organization) == 2


def test_records_past_their_day_are_swept(api: Any, alice: User) -> None:
    api(alice).post(PATH, {"name": "Once"}, idempotency_key="k")
    assert tasks.purge_idempotency_records() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1), tick=False):
        assert tasks.purge_idempotency_records() == 1


def test_a_request_that_fails_leaves_no_record(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    assert client.post(PATH, {"name": ""}, idempotency_key="k").status_code == 400
    cards = [client.post("/v1/payment-methods", {"gateway_token": "x"}, idempotency_key="k").status_code]
    factories.billing_account(organization)
    cards.append(client.post("/v1/payment-methods", {"gateway_token": "x"}, idempotency_key="k").status_code)
    assert cards == [409, 400]
    assert not IdempotencyRecord.objects.exists()
    assert client.post(PATH, {"name": "Good"}, idempotency_key="k").status_code == 201


def test_a_made_keys_replay_has_null_where_the_secret_was(api: Any, alice: User) -> None:
    client = api(alice)
    first = client.post(KEYS, {"name": "Key"}, idempotency_key="k").json()
    again = client.post(KEYS, {"name": "Key"}, idempotency_key="k").json()
    assert first["api_key"].startswith("sk_live_")
    assert again == {**first, "api_key": None}
    assert ApiKey.objects.count() == 1


def test_no_record_holds_a_secret(api: Any, alice: User) -> None:
    made = api(alice).post(KEYS, {"name": "Key"}, idempotency_key="k").json()
    assert "accounts_idempotencyrecord" in tables_with(made["key_id"])
    assert not tables_with(made["api_key"])


@pytest.mark.parametrize("key", ["", " " * 256, "k" * 256, "é", "a\tb"])
def test_a_key_of_a_bad_form_is_refused(api: Any, alice: User, organization: Organization, key: str) -> None:
    refused = api(alice).post(PATH, {"name": "X"}, idempotency_key=key)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_invalid")
    assert children(organization) == 0


@pytest.mark.parametrize("key", ["k", "k" * 255, "~!@#$%^&*() {}"])
def test_a_key_of_any_printable_form_is_taken(api: Any, alice: User, organization: Organization, key: str) -> None:
    assert api(alice).post(PATH, {"name": "X"}, idempotency_key=key).status_code == 201


def test_while_the_first_request_runs_the_second_is_told_so(committed: None) -> None:
    person = factories.user("slow")
    client = Api(tokens.issue(person, person.current_organization).access)
    with someone_holding_the_key(person, "k"):
        (refused,) = race([partial(client.post, PATH, {"name": "X"}, idempotency_key="k")])
        (other,) = race([partial(client.post, PATH, {"name": "X"}, idempotency_key="another")])
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_in_use")
    assert refused.headers["Retry-After"] == "1"
    assert other.status_code == 201
    assert client.post(PATH, {"name": "X"}, idempotency_key="k").status_code == 201  # the lock died with its holder


@contextmanager
def someone_holding_the_key(person: User, key: str) -> Iterator[None]:
    organization = person.current_organization
    assert organization
    name = {
        "account_id": organization.root_id,
        "organization_id": organization.pk,
        "credential": f"user:{person.pk}",
        "key": key,
    }
    with transaction.atomic():
        idempotency._Use(name, b"").lock()
        yield
        transaction.set_rollback(True)


def twenty_at_once() -> tuple[Organization, list[Any]]:
    person = factories.user("race")
    organization = person.current_organization
    assert organization
    client = Api(tokens.issue(person, organization).access)
    return organization, race([partial(client.post, PATH, {"name": "Once"}, idempotency_key="k")] * 20)


def test_of_twenty_at_once_one_has_the_effect(committed: None) -> None:
    organization, results = twenty_at_once()
    assert children(organization) == 1
    assert {answer.status_code for answer in results} <= {201, 409}
    created = [answer for answer in results if answer.status_code == 201]
    assert len({answer.content for answer in created}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in created) == 1


def test_without_the_lock_and_the_unique_key_several_would(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    barrier = Barrier(20)
    monkeypatch.setattr(idempotency._Use, "lock", lambda use: barrier.wait(timeout=30))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_idempotencyrecord DROP CONSTRAINT accounts_idempotencyrecord_pkey")
    try:
        organization, _ = twenty_at_once()
        assert children(organization) > 1
    finally:
        IdempotencyRecord.objects.filter(organization_id=organization.pk).delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE accounts_idempotencyrecord ADD PRIMARY KEY (account_id, organization_id, credential, key)"
            )
