"""A key's own rate limit: one sliding window for its direct calls and those that the gate asks about."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from time_machine import travel

from apikeys import rate_limits
from apikeys.models import ApiKey, RateWindow
from apikeys.rate_limits import Count, Limit
from tests import factories
from tests.concurrency import race

KEYS = "/v1/account/api-keys"


@pytest.fixture
def now() -> Iterator[Any]:
    """A clock that stands at the beginning of a window, until it is shifted."""
    with travel("2030-05-05T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def key(now: Any, alice: Any, organization: Any) -> Any:
    """Three calls a minute."""
    about = {"rate_limit": 3, "rate_limit_window_seconds": 60}
    return factories.key(organization, created_by=alice, permissions=["account:read"], **about)


def codes(client: Any, times: int) -> list[int]:
    return [client.get("/v1/organizations").status_code for _ in range(times)]


def verify(gateway: Any, secret: str, **said: Any) -> str:
    return str(gateway.post("/v1/keys/verify", {"key": secret, **said}).json()["code"])


def test_calls_beyond_the_limit_are_429(api: Any, key: Any) -> None:
    assert codes(api(key[1]), 5) == [200, 200, 200, 429, 429]


def test_a_200_says_what_remains(api: Any, key: Any) -> None:
    answer = api(key[1]).get("/v1/organizations")
    assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert answer.headers["RateLimit"] == '"key";r=2;t=60'


def test_a_429_says_when_to_come_back(api: Any, key: Any, now: Any) -> None:
    codes(api(key[1]), 3)
    now.shift(timedelta(seconds=20))
    refused = api(key[1]).get("/v1/organizations")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["RateLimit"] == '"key";r=0;t=40'
    now.shift(timedelta(seconds=int(refused.headers["Retry-After"]) + 1))
    assert codes(api(key[1]), 1) == [200]


def test_the_window_slides(api: Any, key: Any, now: Any) -> None:
    """A minute and a half after three calls in a row, half of them still count."""
    codes(api(key[1]), 3)
    now.shift(timedelta(seconds=90))
    assert codes(api(key[1]), 3) == [200, 200, 429]


def test_a_key_without_a_limit_has_none(api: Any, alice: Any, organization: Any) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["account:read"])
    answers = [api(secret).get("/v1/organizations") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers


def test_one_keys_calls_are_not_anothers(api: Any, key: Any, alice: Any, organization: Any) -> None:
    about = {"rate_limit": 3, "rate_limit_window_seconds": 60}
    _, other = factories.key(organization, created_by=alice, permissions=["account:read"], **about)
    codes(api(key[1]), 3)
    assert codes(api(other), 3) == [200, 200, 200]


def test_a_call_that_the_key_may_not_make_is_not_counted(api: Any, key: Any) -> None:
    assert [api(key[1]).get(KEYS).status_code for _ in range(4)] == [403] * 4
    assert codes(api(key[1]), 3) == [200, 200, 200]


def test_the_gate_counts_in_the_same_window(api: Any, gateway: Any, key: Any) -> None:
    codes(api(key[1]), 2)
    assert [verify(gateway, key[1]) for _ in range(2)] == ["VALID", "RATE_LIMITED"]
    assert codes(api(key[1]), 1) == [429]


def test_the_gate_says_suspended_before_it_counts(gateway: Any, organization: Any, key: Any) -> None:
    organization.status = "suspended"
    organization.save()
    assert [verify(gateway, key[1]) for _ in range(4)] == ["ORGANIZATION_SUSPENDED"] * 4
    organization.status = "active"
    organization.save()
    assert verify(gateway, key[1]) == "VALID"


def test_the_gate_says_rate_limited_before_it_looks_at_the_credits(gateway: Any, key: Any) -> None:
    assert [verify(gateway, key[1], meter="sms") for _ in range(4)] == ["INSUFFICIENT_CREDITS"] * 3 + ["RATE_LIMITED"]


def test_a_limit_is_set_changed_and_lifted(alice: Any, api: Any) -> None:
    said = {"name": "Key", "rate_limit": {"limit": 5, "window_seconds": 10}}
    path = f"{KEYS}/{api(alice).post(KEYS, said).json()['key_id']}"
    assert api(alice).get(path).json()["rate_limit"] == {"limit": 5, "window_seconds": 10}
    other = {"limit": 7, "window_seconds": 60}
    assert api(alice).patch(path, {"rate_limit": other}).json()["rate_limit"] == other
    assert api(alice).patch(path, {"rate_limit": None}).json()["rate_limit"] is None


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"limit": 0, "window_seconds": 10}, "/rate_limit/limit"),
        ({"limit": 5, "window_seconds": 0}, "/rate_limit/window_seconds"),
        ({"limit": 5, "window_seconds": 86_401}, "/rate_limit/window_seconds"),
        ({"limit": 1_000_001, "window_seconds": 1}, "/rate_limit/limit"),
        ({"limit": 5}, "/rate_limit/window_seconds"),
        (5, "/rate_limit"),
    ],
)
def test_a_limit_that_is_none_is_refused(alice: Any, api: Any, bad: Any, pointer: str) -> None:
    answer = api(alice).post(KEYS, {"name": "Key", "rate_limit": bad})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not ApiKey.objects.exists()


# The window itself

NOON = 1_900_000_800.0  # begins a window of any length that divides an hour


def taken(made: ApiKey, moment: float) -> bool:
    count = rate_limits.take(made, moment)
    assert count
    return count.allowed


def test_without_a_limit_nothing_is_counted(organization: Any) -> None:
    made, _ = factories.key(organization)
    assert rate_limits.take(made, NOON) is None
    assert not RateWindow.objects.exists()


def test_a_count_is_what_the_table_says(key: Any) -> None:
    counts = [rate_limits.take(key[0], NOON + 6) for _ in range(4)]
    assert [(one.allowed, one.current, one.before, one.elapsed) for one in counts if one] == [
        *[(True, n, 0, 6) for n in (1, 2, 3)],
        (False, 3, 0, 6),
    ]


def test_a_full_window_weighs_in_the_next_one(key: Any) -> None:
    for _ in range(3):
        taken(key[0], NOON)
    assert [taken(key[0], NOON + 60 + n) for n in (0, 1, 19, 21, 22, 41)] == [False, True] * 3


def test_after_two_windows_nothing_weighs(key: Any) -> None:
    for _ in range(3):
        taken(key[0], NOON)
    assert [taken(key[0], NOON + 120) for _ in range(4)] == [True] * 3 + [False]


def test_a_clock_that_is_behind_counts_in_the_window_that_has_begun(key: Any) -> None:
    for _ in range(2):
        taken(key[0], NOON)
    assert [taken(key[0], NOON - 1), taken(key[0], NOON - 1), taken(key[0], NOON)] == [True, False, False]


@pytest.fixture
def one_a_second(organization: Any) -> ApiKey:
    return factories.key(organization, rate_limit=1, rate_limit_window_seconds=1)[0]


def taken_by_two_clocks(made: ApiKey, apart: float) -> int:
    """How many of 100 calls at one moment pass, when every other one has a clock that is behind."""
    return sum(taken(made, NOON - (apart if n % 2 else 0)) for n in range(100))


@pytest.mark.parametrize("apart", [0, 0.5, 1.1, 2.1, 30.5])
def test_clocks_that_are_apart_count_in_one_window(one_a_second: ApiKey, apart: float) -> None:
    assert taken_by_two_clocks(one_a_second, apart) == 1


def test_a_window_that_is_given_up_for_one_that_is_over_lets_all_pass(
    one_a_second: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = "x.win >= excluded.win"
    assert latest in rate_limits.TAKE
    monkeypatch.setattr(rate_limits, "TAKE", rate_limits.TAKE.replace(latest, "x.win - excluded.win IN (0, 1)"))
    assert taken_by_two_clocks(one_a_second, 2.1) == 100


def test_who_is_behind_is_told_when_the_window_ends_that_has_begun(one_a_second: ApiKey) -> None:
    rate_limits.take(one_a_second, NOON)
    refused = rate_limits.take(one_a_second, NOON - 3)
    assert refused
    assert (refused.allowed, refused.remaining, refused.resets_in, refused.retry_after) == (False, 0, 4, 4)


def test_a_call_that_waited_counts_in_the_window_that_has_begun(committed: None) -> None:
    """Its window was over when it got the lock."""
    made, _ = factories.key(factories.organization(), rate_limit=1, rate_limit_window_seconds=1)
    locked = threading.Event()

    def first() -> bool:
        with transaction.atomic():
            found = taken(made, NOON + 5)
            locked.set()
            time.sleep(0.2)
        return found

    def second() -> bool:
        return locked.wait(30) and taken(made, NOON)

    assert race([first, second]) == [True, False]


def test_another_length_of_the_window_starts_from_nothing(key: Any) -> None:
    for _ in range(3):
        taken(key[0], NOON)
    for window in (3600, 1):
        ApiKey.objects.filter(pk=key[0].pk).update(rate_limit_window_seconds=window)
        assert taken(key[0], NOON)


def test_another_limit_holds_at_once(key: Any) -> None:
    for _ in range(3):
        taken(key[0], NOON)
    ApiKey.objects.filter(pk=key[0].pk).update(rate_limit=4)
    assert [taken(key[0], NOON), taken(key[0], NOON)] == [True, False]


def test_of_many_at_once_just_as_many_pass_as_the_limit_says(committed: None) -> None:
    made, _ = factories.key(factories.organization(), rate_limit=10, rate_limit_window_seconds=3600)
    results = race([lambda: taken(made, NOON)] * 30)
    assert (results.count(True), results.count(False)) == (10, 20)


def test_a_count_that_is_read_and_then_written_lets_too_many_pass(committed: None) -> None:
    """The control of the test above: the same decision, but not in one statement."""
    made, _ = factories.key(factories.organization(), rate_limit=10, rate_limit_window_seconds=3600)
    RateWindow.objects.create(key=made, win=0, n=0, prev=0)

    def take() -> bool:
        row = RateWindow.objects.get(pk=made.pk)
        if row.n >= 10:
            return False
        time.sleep(0.05)
        RateWindow.objects.filter(pk=made.pk).update(n=row.n + 1)
        return True

    assert race([take] * 30).count(True) > 10


@pytest.mark.parametrize(
    ("current", "before", "elapsed", "seconds"),
    [
        (10, 0, 20.0, 40),  # all in this window: they count whole until it ends
        (0, 10, 0.0, 1),  # any moment after the last window
        (5, 10, 0.0, 30),  # half of the last one must have gone
        (5, 10, 29.5, 1),
    ],
)
def test_when_to_come_back(current: int, before: int, elapsed: float, seconds: int) -> None:
    assert Count(Limit("test", "one", 10, 60), False, current, before, elapsed).retry_after == seconds
