"""The text of a key: its form, its checksum, and the digests that it is stored and found by."""

import hashlib
import re
import zlib
from typing import Any

import pytest

from accounts.lib.identifiers import BASE62
from apikeys import secrets

PEPPERS = [(2, b"n" * 32), (1, b"o" * 32)]


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_secret_has_its_documented_form(environment: str) -> None:
    secret = secrets.generate(environment)
    assert re.fullmatch(rf"sk_{environment}_[0-9A-Za-z]{{38}}", secret)
    assert secrets.is_well_formed(secret)


def test_no_two_secrets_are_alike() -> None:
    assert len({secrets.generate("live") for _ in range(1000)}) == 1000


def test_the_checksum_is_the_crc_32_of_what_is_before_it_in_base62() -> None:
    secret = secrets.generate("live")
    number = 0
    for digit in secret[-6:]:
        number = number * 62 + BASE62.index(digit)
    assert number == zlib.crc32(secret[:-6].encode())


def test_a_known_checksum_stays_what_it_is() -> None:
    """Keys that customers hold have to be good for ever."""
    assert secrets.is_well_formed("sk_live_" + "0" * 32 + "2UYg5A")


def test_any_changed_character_is_noticed() -> None:
    secret = secrets.generate("live")
    for position, character in enumerate(secret):
        for other in set("0Az_") - {character}:
            assert not secrets.is_well_formed(secret[:position] + other + secret[position + 1 :])


def test_a_live_key_made_to_look_like_a_test_key_is_noticed() -> None:
    assert not secrets.is_well_formed(secrets.generate("live").replace("live", "test"))


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "0",
        lambda secret: secret.upper(),
        lambda secret: secret.replace("sk_", "pk_"),
        lambda secret: secret.replace("_", "-"),
    ],
)
def test_another_form_has_the_digest_of_a_key_from_another_system(change: Any) -> None:
    text = change(secrets.generate("live"))
    assert not secrets.is_well_formed(text)
    assert secrets.digests(text) == [secrets.digest_of_hash(hashlib.sha256(text.encode()).digest()).value]


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: "",
        lambda secret: f" {secret}",
        lambda secret: f"{secret}\n",
        lambda secret: "k" * 256,
        lambda secret: "sk_live_" + "é" * 38,
        lambda secret: "sk_live_" + "\ud800" * 38,
        lambda secret: "sk_live_" + "\u0661" * 38,
    ],
)
def test_what_is_no_secret_has_no_digest(change: Any) -> None:
    assert secrets.digests(change(secrets.generate("live"))) == []


def test_a_key_of_ours_is_not_found_by_its_hash() -> None:
    secret = secrets.generate("live")
    assert secrets.digest_of_hash(hashlib.sha256(secret.encode()).digest()).value not in secrets.digests(secret)


def test_the_newest_pepper_signs_and_all_of_them_verify(settings: Any) -> None:
    settings.API_KEY_PEPPERS = PEPPERS
    secret = secrets.generate("live")
    made = secrets.digest(secret)
    assert made.pepper == 2
    assert len(made.value) == 32
    assert secrets.digests(secret)[0] == made.value
    assert len(set(secrets.digests(secret))) == 2


def test_the_digest_is_worth_nothing_without_the_pepper(settings: Any) -> None:
    secret = secrets.generate("live")
    settings.API_KEY_PEPPERS = [(1, b"x" * 32)]
    other = secrets.digest(secret).value
    settings.API_KEY_PEPPERS = [(1, b"y" * 32)]
    assert secrets.digest(secret).value != other


def test_a_hint_tells_keys_apart_and_gives_nothing_away() -> None:
    secret = secrets.generate("test")
    hint = secrets.hint(secret)
    assert hint == f"{secret[:12]}…{secret[-4:]}"
    assert len(hint.replace("sk_test_", "").replace("…", "")) == 8
