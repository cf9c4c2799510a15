"""What caches may keep: nothing of the API but the public keys, no page without asking, and static files."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests import factories
from tests.browser import signed_in


def test_an_answer_with_tokens_is_not_stored(anonymous: Any, alice: User) -> None:
    answer = anonymous.post("/v1/auth/token", {"email": alice.email, "password": factories.PASSWORD})
    assert answer.json().keys() == {"access", "refresh"}
    assert answer["Cache-Control"] == "no-store"


def test_an_answer_with_the_secret_of_a_key_is_not_stored(api: Any, alice: User) -> None:
    answer = api(alice).post("/v1/account/api-keys", {"name": "New"})
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/nothing", "/v1/plans", "/auth/account/credits", "/healthz"])
def test_no_other_answer_of_the_api_is_either(anonymous: Any, db: None, path: str) -> None:
    assert anonymous.get(path)["Cache-Control"] == "no-store"


def test_the_public_keys_may_be_kept(anonymous: Any, db: None) -> None:
    assert anonymous.get("/.well-known/jwks.json")["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("path", ["/", "/docs", "/organizations/", "/profile/", "/nothing"])
def test_a_page_is_for_its_person_and_asked_for_again(alice: User, path: str) -> None:
    assert signed_in(alice).get(path)["Cache-Control"] == "private, no-cache"


def test_a_page_that_says_more_is_left_alone(db: None) -> None:
    assert "no-store" in Client().get("/accounts/login/")["Cache-Control"]


def test_static_files_keep_theirs(db: None) -> None:
    kept = Client().get("/static/tollgate/favicon.svg")
    assert kept.status_code == 200
    assert "private" not in kept["Cache-Control"]
    assert "no-store" not in kept["Cache-Control"]
