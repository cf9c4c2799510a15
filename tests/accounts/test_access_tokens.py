"""Access tokens: their claims, who can verify them, and texts that are not tokens."""

import base64
import json
import math
import string
from datetime import timedelta
from io import StringIO
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.utils import timezone

from accounts import scopes, signing, tokens
from accounts.lib import encryption
from accounts.models import SigningKey, TokenFamily, User
from tests.concurrency import race
from tests.leaks import tables_with

WELL_KNOWN = "/.well-known/jwks.json"

BASE64 = string.ascii_letters + string.digits + "-_"


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def access_of(person: User) -> str:
    return tokens.issue(person, person.current_organization).access


def forged(person: User, key: Any, algorithm: str, *, kid: Any = None, **claims: Any) -> str:
    """A token with all the right claims, signed by someone else."""
    genuine = access_of(person)
    kid = jwt.get_unverified_header(genuine)["kid"] if kid is None else kid
    return jwt.encode({**claims_of(genuine), **claims}, key, algorithm=algorithm, headers={"kid": kid})


def assert_refused(client: Any) -> None:
    response = client.get("/v1/whoami")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="tollgate"'
    assert response.headers["Content-Type"] == "application/problem+json"


def test_it_says_who_where_when_and_what(alice: User, organization: Any) -> None:
    claims = claims_of(access_of(alice))
    assert claims["sub"] == str(alice.pk)
    assert claims["id"] == organization.public_id
    assert claims["timezone"] == "UTC"
    assert set(claims["scope"].split(" ")) == scopes.BY_ROLE["owner"]
    assert claims["exp"] - claims["iat"] == 300


def test_it_is_signed_with_rs256_by_the_current_key(alice: User) -> None:
    header = jwt.get_unverified_header(access_of(alice))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": signing.current().kid}


def test_another_service_verifies_it_with_the_published_keys(anonymous: Any, alice: User, settings: Any) -> None:
    token = access_of(alice)
    published = jwt.PyJWKSet.from_dict(anonymous.get(WELL_KNOWN).json())
    key = published[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], issuer=settings.BASE_URL)
    assert claims["sub"] == str(alice.pk)


def test_nothing_of_the_private_key_is_published(anonymous: Any, alice: User) -> None:
    access_of(alice)
    (key,) = anonymous.get(WELL_KNOWN).json()["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}


def test_the_private_key_is_encrypted_in_the_database(alice: User) -> None:
    key = signing.current()
    assert b"PRIVATE KEY" in encryption.decrypt(bytes(key.private_key), purpose=signing.PURPOSE)
    assert tables_with("PUBLIC KEY") == ["accounts_signingkey"]
    assert not tables_with("PRIVATE KEY")


def test_after_a_rotation_old_tokens_work_and_both_keys_are_published(anonymous: Any, api: Any, alice: User) -> None:
    before = access_of(alice)
    old, new = signing.current(), signing.rotate()
    assert api(before).get("/v1/whoami").status_code == 200
    assert jwt.get_unverified_header(access_of(alice))["kid"] == new.kid
    assert [key["kid"] for key in anonymous.get(WELL_KNOWN).json()["keys"]] == [new.kid, old.kid]


def test_a_command_rotates(alice: User) -> None:
    before = signing.current()
    call_command("rotate_signing_key", stdout=StringIO())
    assert signing.current() != before


def test_a_retired_key_is_forgotten_when_its_last_token_has_expired(anonymous: Any, alice: User) -> None:
    access_of(alice)
    new = signing.rotate()
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1), tick=False):
        assert [key["kid"] for key in anonymous.get(WELL_KNOWN).json()["keys"]] == [new.kid]


def test_a_token_lives_for_five_minutes(api: Any, alice: User) -> None:
    client = api(alice)
    with time_machine.travel(timezone.now() + timedelta(minutes=4, seconds=58), tick=False):
        assert client.get("/v1/whoami").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1), tick=False):
        assert_refused(client)


def test_processes_that_start_at_once_make_one_key(committed: None) -> None:
    SigningKey.objects.all().delete()
    keys = race([signing.current] * 4)
    assert {key.kid for key in keys} == {SigningKey.objects.get().kid}


def test_a_token_of_no_algorithm_is_refused(api: Any, alice: User) -> None:
    assert_refused(api(forged(alice, None, "none")))


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(api: Any, alice: User) -> None:
    genuine = access_of(alice)
    head, payload, _ = genuine.split(".")
    kid = jwt.get_unverified_header(genuine)["kid"]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).rstrip(b"=").decode()
    secret = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = secret.sign(f"{head}.{payload}".encode(), signing.current().public_key.encode())
    signed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    assert_refused(api(f"{head}.{payload}.{signed}"))


def test_a_token_of_another_rsa_key_is_refused(api: Any, alice: User) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert_refused(api(forged(alice, stranger, "RS256")))


@pytest.mark.parametrize("kid", ["", "0" * 32, "\0", "é", "k" * 10_000, "../../dev/null"])
def test_a_token_of_an_unknown_key_is_refused(api: Any, alice: User, kid: str) -> None:
    assert_refused(api(forged(alice, "secret" * 8, "HS256", kid=kid)))


@pytest.mark.parametrize("kid", [5, None, [], {}, "\ud800"])
def test_a_header_with_an_odd_kid_is_refused(api: Any, alice: User, kid: Any) -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": kid}).encode()).rstrip(b"=").decode()
    assert_refused(api(f"{head}.{access_of(alice).partition('.')[2]}"))


NO_MOMENTS = [math.inf, math.nan, 10**18, 10**400, -(10**18), "soon", None, [], {}]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"token_type": "refresh"},
        {"sid": None},
        {"sid": "x"},
        {"sid": "0123456789abcdef" * 2},
        {"sid": 5},
        {"sub": "999999999"},
        {"sub": None},
        {"sub": ["1"]},
        {"sub": "\0"},
        {"id": 5},
        {"id": "acct_\0"},
        {"id": {"acct": 1}},
        {"timezone": None},
        {"timezone": "Mars/Olympus"},
        {"timezone": ["UTC"]},
        {"scope": None},
        {"scope": ["keys:read"]},
        {"jti": None},
        *({name: value} for name in ("exp", "iat", "nbf") for value in NO_MOMENTS),
    ],
    ids=repr,
)
def test_claims_that_do_not_fit_are_refused_even_well_signed(api: Any, alice: User, claims: Any) -> None:
    key = signing.current()
    ours = encryption.decrypt(bytes(key.private_key), purpose=signing.PURPOSE)
    assert api(forged(alice, ours, "RS256")).get("/v1/whoami").status_code == 200
    assert_refused(api(forged(alice, ours, "RS256", **claims)))


@pytest.mark.parametrize("name", ["sub", "sid", "id", "timezone", "scope", "exp", "jti", "iss", "token_type"])
def test_a_token_without_one_of_our_claims_is_refused_even_well_signed(api: Any, alice: User, name: str) -> None:
    genuine, key = access_of(alice), signing.current()
    claims = {claim: value for claim, value in claims_of(genuine).items() if claim != name}
    ours = encryption.decrypt(bytes(key.private_key), purpose=signing.PURPOSE)
    assert_refused(api(jwt.encode(claims, ours, algorithm="RS256", headers={"kid": key.kid})))


def respelled(token: str) -> list[str]:
    """Other texts that a lenient decoder reads as the same token."""
    head, payload, signature = token.split(".")
    last = next(
        letter
        for letter in BASE64
        if decoded(signature[:-1] + letter) == decoded(signature) and letter != signature[-1]
    )
    return [
        f"{head}.{payload}.{signature[:-1]}{last}",
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}.{signature[:9]}!{signature[9:]}",
        f"{head}.{payload}.{signature[:9]}%0A{signature[9:]}",
        f"{head}=.{payload}.{signature}",
        f"{token}.",
        f"{token}.{signature}",
    ]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_is_taken_only_as_it_was_issued(api: Any, alice: User) -> None:
    token = access_of(alice)
    for text in respelled(token):
        assert_refused(api(text))
    assert api(token).get("/v1/whoami").status_code == 200


@pytest.mark.parametrize("text", ["x", "a.b.c", "..", "é", "a b", "eyJhbGciOiJSUzI1NiJ9..", "Bearer", "." * 5000])
def test_what_is_no_token_is_refused(api: Any, db: None, text: str) -> None:
    assert_refused(api(text))


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Token abc", "bearer"])
def test_no_credential_or_another_scheme_is_refused(anonymous: Any, db: None, header: str) -> None:
    anonymous.headers = {"authorization": header}
    assert_refused(anonymous)


def test_the_word_bearer_may_be_in_any_case(anonymous: Any, alice: User) -> None:
    anonymous.headers = {"authorization": f"bEaReR {access_of(alice)}"}
    assert anonymous.get("/v1/whoami").status_code == 200


def test_a_token_of_a_deactivated_person_is_refused_at_once(api: Any, alice: User) -> None:
    client = api(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert_refused(client)


def test_an_api_token_opens_no_session(api: Any, alice: User) -> None:
    client = api(alice)
    assert client.get("/v1/whoami").cookies == {}
    assert TokenFamily.objects.count() == 1
