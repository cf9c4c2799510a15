"""Two rotations at one moment: one wins. Without the lock both do, and the key has three living secrets."""

from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from apikeys import keys
from apikeys.models import ApiKey
from tests import factories
from tests.concurrency import race

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def key(committed: None) -> ApiKey:
    person = factories.user()
    assert person.current_organization
    return factories.key(person.current_organization, created_by=person)[0]


def rotate_twice(key: ApiKey, overlap: timedelta) -> list[Any]:
    """Both have read the key and its secrets before either rotates it."""
    read = [ApiKey.objects.prefetch_related("secrets").get(pk=key.pk) for _ in range(2)]
    return race([lambda key=key: keys.rotate(key, overlap) for key in read])  # type: ignore[misc]


@pytest.mark.parametrize("seconds", [0, 86_400])
def test_of_two_rotations_at_once_one_wins(key: ApiKey, seconds: int) -> None:
    results = rotate_twice(key, timedelta(seconds=seconds))
    assert [type(result) for result in results if not isinstance(result, str)] == [keys.RotationInProgress]
    assert key.secrets.filter(expires_at=None).count() == 1
    assert key.secrets.count() == 2


def test_without_the_lock_both_would_win(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    both_have_read, secrets_of = Barrier(2), keys._secrets_of

    def read(key: ApiKey) -> Any:
        stored = secrets_of(key)
        both_have_read.wait(timeout=30)
        return stored

    monkeypatch.setattr(keys, "_lock", lambda key: ApiKey.objects.get(pk=key.pk))
    monkeypatch.setattr(keys, "_secrets_of", read)
    results = rotate_twice(key, timedelta(days=1))
    assert all(isinstance(result, str) for result in results)
    assert key.secrets.count() == 3
