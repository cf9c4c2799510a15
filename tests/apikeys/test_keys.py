"""Finding a key by its secret: one indexed query, digests only, and no cache."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Organization, User
from apikeys import keys, secrets
from apikeys.models import ApiKey, ApiKeySecret
from tests import factories
from tests.leaks import tables_with

OLD, NEW = (1, b"o" * 32), (2, b"n" * 32)


def find(secret: str) -> ApiKey | None:
    return keys.find(secret, timezone.now())


def test_a_key_is_found_by_its_secret_with_all_that_a_request_needs(
    alice: User, organization: Organization, statements: list[str], django_assert_num_queries: Any
) -> None:
    key, secret = factories.key(organization, created_by=alice)
    statements.clear()
    with django_assert_num_queries(0):  # of the ORM
        looked_up = find(secret)
        assert looked_up == key
        assert looked_up.organization == organization
        assert looked_up.created_by == alice
    assert len(statements) == 1


def test_the_query_goes_by_the_unique_index_of_digests(organization: Organization) -> None:
    _, secret = factories.key(organization)
    query = ApiKeySecret.objects.filter(digest__in=secrets.digests(secret))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = query.explain()
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE 'CREATE UNIQUE INDEX % (digest)'")
        names = [name for (name,) in cursor.fetchall() if "apikey" in name]
    assert len(names) == 1
    assert names[0] in plan


@pytest.mark.parametrize("position", [0, 3, 8, 20, 39, 40, 45])
def test_a_mistyped_secret_is_not_found(organization: Organization, position: int) -> None:
    _, secret = factories.key(organization)
    other = "x" if secret[position] != "x" else "y"
    assert find(secret[:position] + other + secret[position + 1 :]) is None


def test_what_can_be_no_secret_is_refused_without_a_query(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert find("a key") is None


def test_a_well_formed_secret_of_nobodys_is_not_found(organization: Organization) -> None:
    factories.key(organization)
    assert find(secrets.generate("live")) is None


def test_a_secret_is_nowhere_in_the_database(organization: Organization) -> None:
    _, secret = factories.key(organization)
    assert tables_with(secrets.hint(secret)) == ["apikeys_apikeysecret"]
    assert tables_with(secrets.digest(secret).value.hex()) == ["apikeys_apikeysecret"]
    for part in (secret, secret[8:], secret[8:40], secret[12:-4]):
        assert not tables_with(part)


def test_a_new_pepper_signs_new_keys_and_old_ones_go_on(organization: Organization, settings: Any) -> None:
    settings.API_KEY_PEPPERS = [OLD]
    old, old_secret = factories.key(organization)
    settings.API_KEY_PEPPERS = [NEW, OLD]
    new, new_secret = factories.key(organization)
    assert (find(old_secret), find(new_secret)) == (old, new)
    assert list(ApiKeySecret.objects.order_by("created_at").values_list("pepper", flat=True)) == [1, 2]


def test_a_removed_pepper_verifies_no_more(organization: Organization, settings: Any) -> None:
    settings.API_KEY_PEPPERS = [OLD]
    _, secret = factories.key(organization)
    settings.API_KEY_PEPPERS = [NEW]
    assert find(secret) is None


def test_a_second_pepper_costs_no_second_query(
    organization: Organization, settings: Any, statements: list[str]
) -> None:
    settings.API_KEY_PEPPERS = [OLD]
    _, secret = factories.key(organization)
    settings.API_KEY_PEPPERS = [NEW, OLD]
    statements.clear()
    assert find(secret)
    assert len(statements) == 1


def test_a_secret_past_its_own_end_finds_nothing(organization: Organization) -> None:
    key, secret = factories.key(organization)
    key.secrets.update(expires_at=timezone.now() + timedelta(hours=1))
    assert find(secret) == key
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        assert find(secret) is None


def test_a_second_revocation_keeps_the_time_of_the_first(organization: Organization) -> None:
    key, _ = factories.key(organization)
    first = keys.revoke(key).revoked_at
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        assert keys.revoke(key).revoked_at == first


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "active"),
        ({"disabled_at": timedelta(0)}, "disabled"),
        ({"expires_at": timedelta(0)}, "expired"),
        ({"expires_at": timedelta(seconds=1)}, "active"),
        ({"disabled_at": timedelta(0), "expires_at": timedelta(0)}, "expired"),
        ({"disabled_at": timedelta(0), "expires_at": timedelta(0), "revoked_at": timedelta(0)}, "revoked"),
    ],
)
def test_the_status_is_the_first_reason_against(change: dict[str, timedelta], status: str) -> None:
    now = timezone.now()
    assert ApiKey(**{field: now + delta for field, delta in change.items()}).status(now) == status


def test_the_database_refuses_a_digest_twice(organization: Organization) -> None:
    key, _ = factories.key(organization)
    taken = key.secrets.get()
    with pytest.raises(IntegrityError, match="digest"), transaction.atomic():
        ApiKeySecret.objects.create(key=key, digest=taken.digest, pepper=1, hint="x")


def test_a_key_that_can_not_be_finished_is_not_begun(organization: Organization, settings: Any) -> None:
    settings.API_KEY_PEPPERS = [(40_000, b"x" * 32)]  # beyond a smallint
    with pytest.raises(Exception, match="out of range"), transaction.atomic():
        factories.key(organization)
    assert not ApiKey.objects.exists()
