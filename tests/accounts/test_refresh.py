"""Refresh tokens: each works once, and one that is used twice ends the whole sign-in."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from django.utils import timezone

from accounts import access_tokens, authentication, scopes, tasks, tokens
from accounts.exceptions import RefreshRace
from accounts.models import Membership, Organization, ReplacedToken, TokenFamily, User
from tests import factories
from tests.concurrency import race
from tests.conftest import Api
from tests.leaks import tables_with

PATH = "/v1/auth/token/refresh"
REVOKE = "/v1/auth/token/revoke"


def issue(person: User) -> tokens.Pair:
    return tokens.issue(person, person.current_organization)


def refreshed(anonymous: Any, token: str) -> Any:
    return anonymous.post(PATH, {"refresh": token})


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def is_good(api: Any, access: str) -> bool:
    return bool(api(access).get("/v1/whoami").status_code == 200)


def test_it_is_exchanged_for_a_new_pair_that_works(anonymous: Any, api: Any, alice: User) -> None:
    pair = issue(alice)
    response = refreshed(anonymous, pair.refresh)
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh"}
    assert response.json()["refresh"] != pair.refresh
    assert is_good(api, response.json()["access"])
    assert refreshed(anonymous, response.json()["refresh"]).status_code == 200


def test_claims_are_made_anew_for_another_role(anonymous: Any, bob: User) -> None:
    pair = issue(bob)
    assert set(claims_of(pair.access)["scope"].split()) == scopes.BY_ROLE["viewer"]
    Membership.objects.filter(user=bob, organization=bob.current_organization).update(role="billing")
    claims = claims_of(refreshed(anonymous, pair.refresh).json()["access"])
    assert set(claims["scope"].split()) == scopes.BY_ROLE["billing"]


def test_claims_are_made_anew_for_another_time_zone(anonymous: Any, alice: User) -> None:
    pair = issue(alice)
    User.objects.filter(pk=alice.pk).update(timezone="Asia/Tokyo")
    assert claims_of(refreshed(anonymous, pair.refresh).json()["access"])["timezone"] == "Asia/Tokyo"


def test_who_has_left_the_organization_is_taken_to_one_of_theirs(anonymous: Any, bob: User) -> None:
    pair = issue(bob)
    Membership.objects.filter(user=bob, organization=bob.current_organization).delete()
    home = Membership.objects.get(user=bob).organization
    assert claims_of(refreshed(anonymous, pair.refresh).json()["access"])["id"] == home.public_id


def test_it_stays_in_its_organization_when_another_sign_in_switches(
    anonymous: Any, bob: User, organization: Organization
) -> None:
    pair = issue(bob)
    home = Organization.objects.visible_to(bob).exclude(pk=organization.pk).get()
    credential = authentication.signed_in(access_tokens.read(issue(bob).access))
    tokens.switch(credential, home)
    claims = claims_of(refreshed(anonymous, pair.refresh).json()["access"])
    assert claims["id"] == claims_of(pair.access)["id"]


def test_a_token_used_after_the_grace_ends_the_family_and_its_access_tokens(
    anonymous: Any, api: Any, alice: User
) -> None:
    stolen = issue(alice)
    newer = refreshed(anonymous, stolen.refresh).json()
    with after_the_grace():
        again = refreshed(anonymous, stolen.refresh)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_refresh_token")
    assert again.headers["WWW-Authenticate"] == "Bearer"
    assert refreshed(anonymous, newer["refresh"]).status_code == 401
    assert not is_good(api, stolen.access)
    assert not is_good(api, newer["access"])


def test_the_persons_other_sign_ins_go_on(anonymous: Any, api: Any, alice: User) -> None:
    stolen, other = issue(alice), issue(alice)
    refreshed(anonymous, stolen.refresh)
    with after_the_grace():
        assert refreshed(anonymous, stolen.refresh).status_code == 401
    assert refreshed(anonymous, stolen.refresh).status_code == 401
    assert is_good(api, other.access)
    assert refreshed(anonymous, other.refresh).status_code == 200


def test_it_expires_after_thirty_days_however_often_it_was_refreshed(anonymous: Any, alice: User) -> None:
    pair = issue(alice)
    with time_machine.travel(timezone.now() + timedelta(days=29), tick=False):
        newer = refreshed(anonymous, pair.refresh).json()["refresh"]
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1), tick=False):
        assert refreshed(anonymous, newer).status_code == 401


def test_a_deactivated_person_gets_nothing(anonymous: Any, alice: User) -> None:
    pair = issue(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert refreshed(anonymous, pair.refresh).status_code == 401
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert refreshed(anonymous, pair.refresh).status_code == 200


@pytest.mark.parametrize(
    "text", ["x", "5", "rt_", "rt_" + "0" * 75, "rt_" + "z" * 75, "RT_" + "0" * 75, "rt_" + "0" * 76, "é" * 75]
)
def test_what_is_no_refresh_token_is_refused(anonymous: Any, db: None, text: str) -> None:
    assert refreshed(anonymous, text).status_code == 401


@pytest.mark.parametrize("token", [None, "", " ", ["x"], {"a": 1}, "r" * 256, "\0", "\ud800"])
def test_a_token_of_the_wrong_type_is_named(anonymous: Any, db: None, token: Any) -> None:
    response = refreshed(anonymous, token)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/refresh")


def test_an_access_token_refreshes_nothing(anonymous: Any, alice: User) -> None:
    assert refreshed(anonymous, issue(alice).access[:255]).status_code == 401


def test_a_refresh_token_is_no_access_token(api: Any, alice: User) -> None:
    assert not is_good(api, issue(alice).refresh)


def test_no_refresh_token_is_in_the_database(anonymous: Any, alice: User) -> None:
    first = issue(alice).refresh
    second = refreshed(anonymous, first).json()["refresh"]
    assert tables_with(str(UUID(hex=first[3:35]))) == ["accounts_replacedtoken", "accounts_tokenfamily"]
    for token in (first, second):
        assert not tables_with(token)
        assert not tables_with(token[35:])  # the secret part


def test_revoking_ends_the_sign_in_and_its_access_tokens(anonymous: Any, api: Any, alice: User) -> None:
    pair, other = issue(alice), issue(alice)
    response = anonymous.post(REVOKE, {"refresh": pair.refresh})
    assert (response.status_code, response.content) == (204, b"")
    assert refreshed(anonymous, pair.refresh).status_code == 401
    assert not is_good(api, pair.access)
    assert is_good(api, other.access)


@pytest.mark.parametrize("token", ["x", "rt_" + "0" * 75])
def test_revoking_what_is_unknown_says_nothing(anonymous: Any, api: Any, alice: User, token: str) -> None:
    pair = issue(alice)
    assert anonymous.post(REVOKE, {"refresh": token}).status_code == 204
    assert is_good(api, pair.access)


def test_old_families_are_swept(alice: User) -> None:
    issue(alice)
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1), tick=False):
        living = issue(alice)
        assert tasks.purge_token_families() == 1
    assert TokenFamily.objects.get().pk.hex == living.refresh[3:35]


def after_the_grace(seconds: float = 10.1) -> Any:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False)


def test_within_the_grace_whoever_comes_second_gets_409_and_the_winner_goes_on(
    anonymous: Any, api: Any, alice: User
) -> None:
    pair = issue(alice)
    winner = refreshed(anonymous, pair.refresh).json()
    with after_the_grace(9.9):
        second = refreshed(anonymous, pair.refresh)
        assert (second.status_code, second.json()["code"]) == (409, "refresh_race")
    assert is_good(api, winner["access"])
    assert refreshed(anonymous, winner["refresh"]).status_code == 200


def test_a_client_that_lost_the_answer_signs_in_again_and_ends_the_old_sign_in(
    anonymous: Any, api: Any, alice: User
) -> None:
    """What docs/api.md tells such a client to do."""
    pair = issue(alice)
    refreshed(anonymous, pair.refresh)  # the answer is lost
    assert refreshed(anonymous, pair.refresh).status_code == 409
    assert is_good(api, pair.access)
    again = issue(alice)
    assert anonymous.post(REVOKE, {"refresh": pair.refresh}).status_code == 204
    assert not is_good(api, pair.access)
    assert refreshed(anonymous, again.refresh).status_code == 200


def test_a_slow_request_lost_a_race_even_if_the_winner_refreshed_again(anonymous: Any, alice: User) -> None:
    pair = issue(alice)
    newest = pair.refresh
    for _ in range(3):
        newest = refreshed(anonymous, newest).json()["refresh"]
    assert refreshed(anonymous, pair.refresh).status_code == 409
    assert refreshed(anonymous, newest).status_code == 200


def test_a_token_whose_own_grace_is_over_is_theft_though_the_family_was_refreshed_just_now(
    anonymous: Any, alice: User
) -> None:
    pair = issue(alice)
    newer = refreshed(anonymous, pair.refresh).json()["refresh"]
    with after_the_grace():
        newest = refreshed(anonymous, newer).json()["refresh"]
        assert refreshed(anonymous, pair.refresh).status_code == 401
        assert refreshed(anonymous, newest).status_code == 401


def test_the_grace_can_be_set(anonymous: Any, alice: User, settings: Any) -> None:
    settings.REFRESH_GRACE_SECONDS = 60
    pair = issue(alice)
    refreshed(anonymous, pair.refresh)
    with after_the_grace(59):
        assert refreshed(anonymous, pair.refresh).status_code == 409
    with after_the_grace(61):
        assert refreshed(anonymous, pair.refresh).status_code == 401


def test_replaced_tokens_are_kept_for_the_grace(anonymous: Any, alice: User) -> None:
    newest = issue(alice).refresh
    for step in range(3):
        with after_the_grace(step * 20):
            newest = refreshed(anonymous, newest).json()["refresh"]
            assert ReplacedToken.objects.count() == 1


def test_if_the_new_pair_can_not_be_made_the_old_token_stays_good(
    anonymous: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = issue(alice)
    with monkeypatch.context() as patch:
        patch.setattr(access_tokens, "make", None)
        assert refreshed(anonymous, pair.refresh).status_code == 500
    assert refreshed(anonymous, pair.refresh).status_code == 200


def test_of_many_requests_at_once_one_gets_a_pair_and_the_others_409(committed: None) -> None:
    token = issue(factories.user("race")).refresh
    answers = race([partial(refreshed, Api(), token) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert refreshed(Api(), winner["refresh"]).status_code == 200


def eight_at_once(rotate: Callable[[TokenFamily, bytes, bytes], bool], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(tokens, "_rotate", rotate)
    results = race([partial(tokens.refresh, issue(factories.user("race")).refresh)] * 8)
    monkeypatch.undo()
    return results


def test_of_many_at_once_one_wins_and_the_winner_goes_on(
    committed: None, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have seen the token current before the first of them rotates it."""
    barrier, ours = Barrier(8), tokens._rotate

    def meet_then_rotate(family: TokenFamily, presented: bytes, replacement: bytes) -> bool:
        barrier.wait(timeout=30)
        return ours(family, presented, replacement)

    results = eight_at_once(meet_then_rotate, monkeypatch)
    (won,) = [result for result in results if isinstance(result, tokens.Pair)]
    assert [type(result) for result in results if result is not won] == [RefreshRace] * 7
    assert is_good(api, won.access)
    assert isinstance(tokens.refresh(won.refresh), tokens.Pair)


def test_a_rotation_that_reads_and_then_writes_lets_several_rotate(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the same race without the one statement.

    The unique digest of replaced tokens then still keeps all but one from getting a pair.
    """
    barrier, rotations = Barrier(8), []

    def read_then_write(family: TokenFamily, presented: bytes, replacement: bytes) -> bool:
        family = TokenFamily.objects.get(pk=family.pk)
        barrier.wait(timeout=30)
        if bytes(family.digest) != presented or family.revoked_at:
            return False
        family.digest = replacement
        family.save()
        rotations.append(replacement)
        return True

    results = eight_at_once(read_then_write, monkeypatch)
    assert len(rotations) > 1
    assert [type(result) for result in results].count(tokens.Pair) == 1


def test_the_sid_of_an_access_token_ends_nothing(anonymous: Any, api: Any, alice: User) -> None:
    pair = issue(alice)
    forged = f"rt_{claims_of(pair.access)['sid']}{'a' * tokens.SECRET_LENGTH}"
    assert anonymous.post(REVOKE, {"refresh": forged}).status_code == 204
    assert refreshed(anonymous, forged).status_code == 401
    assert is_good(api, pair.access)
