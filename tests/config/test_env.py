"""The reader of settings: it needs nothing in development, and fails loudly in production."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.env import Env
from tests.concurrency import race

ROOT = Path(env.BASE_DIR)
REQUIRED = {
    "SECRET_KEY": "kX2vT9mQ4rW8zL1pN6bD3hJ7cF5gS0aY",
    "API_KEY_PEPPERS": "1:" + "p" * 40,
    "BASE_URL": "https://api.example.com",
    "ALLOWED_HOSTS": "api.example.com",
    "DATABASE_URL": "postgres://u:p@db.example/tollgate",
    "REDIS_URL": "redis://redis.example/0",
    "EMAIL_URL": "smtp://mail.example:25",
    "PAYMENT_GATEWAY": "stripe",
}
STARTS = {**REQUIRED, "STRIPE_SECRET_KEY": "rk_live_0000"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {"PATH": os.defpath}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=outside | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_ENV", "production")


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(env, "STATE_DIR", tmp_path)
    return tmp_path


def test_production_without_settings_names_every_missing_one_and_does_not_start() -> None:
    result = python("import config.settings", TOLLGATE_ENV="production")
    assert result.returncode == 1
    assert f"needs {', '.join(REQUIRED)}." in result.stderr.splitlines()[-1]


def test_production_with_all_of_them_starts_and_is_strict() -> None:
    code = "from config import settings as s; print(s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)"
    code += "; print(s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0, s.ALLOWED_HOSTS)"
    result = python(code, TOLLGATE_ENV="production", **STARTS)
    assert result.stdout == "False True True\nTrue True ['api.example.com']\n", result.stderr


def test_an_empty_variable_is_a_missing_one(production: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    reader = Env()
    reader.secret("SECRET_KEY")
    with pytest.raises(ImproperlyConfigured, match=r"needs SECRET_KEY\."):
        reader.check()


def test_what_is_there_is_not_missed(production: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x")
    reader = Env()
    assert reader.secret("SECRET_KEY") == "x"
    reader.check()


def test_production_makes_no_secrets(production: None, state: Path) -> None:
    Env().secret("UNHEARD_OF")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("mode", ["prod", "", "Production", "test"])
def test_another_mode_than_the_two_is_refused(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("TOLLGATE_ENV", mode)
    with pytest.raises(ImproperlyConfigured, match="TOLLGATE_ENV"):
        Env()


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("True", True), ("1", True), ("on", True), ("no", False), ("0", False)]
)
def test_a_boolean_is_read(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.setenv("SWITCH", text)
    assert Env().boolean("SWITCH", default=not expected) is expected


@pytest.mark.parametrize("text", ["maybe", "2", "yess", "", " true"])
def test_what_is_no_boolean_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SWITCH", text)
    with pytest.raises(ImproperlyConfigured, match="SWITCH"):
        Env().boolean("SWITCH", default=False)


@pytest.mark.parametrize("text", ["many", "1.5", "", "0x10"])
def test_what_is_no_whole_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COUNT", text)
    with pytest.raises(ImproperlyConfigured, match="COUNT"):
        Env().integer("COUNT", default=1)


def test_without_a_variable_the_default_holds() -> None:
    reader = Env()
    assert reader.text("UNHEARD_OF", "text") == "text"
    assert reader.integer("UNHEARD_OF", 5) == 5
    assert reader.boolean("UNHEARD_OF", default=True) is True
    assert reader.words("UNHEARD_OF", ["a"]) == ["a"]


def test_a_kept_secret_is_made_once_and_nobody_else_may_read_it(state: Path) -> None:
    first = Env().secret("KEPT")
    assert len(first) >= 48
    assert Env().secret("KEPT") == first
    kept = state / "secrets" / "KEPT"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (first, 0o600)
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in kept.parent.iterdir()] == ["KEPT"]  # no draft is left


def test_two_secrets_are_not_the_same(state: Path) -> None:
    assert Env().secret("ONE") != Env().secret("TWO")


def test_processes_that_start_at_once_agree_on_a_secret(state: Path) -> None:
    made = race([lambda: Env().secret("SHARED")] * 8)
    assert set(made) == {(state / "secrets" / "SHARED").read_text()}


def test_with_a_look_before_the_write_they_do_not(tmp_path: Path) -> None:
    """The negative control."""
    path, barrier = tmp_path / "secret", Barrier(8)

    def look_then_write() -> str:
        if path.exists():
            return path.read_text()
        barrier.wait(timeout=30)
        path.write_text(secret := os.urandom(8).hex())
        return secret

    assert len(set(race([look_then_write] * 8))) > 1


def test_peppers_are_numbered_and_the_first_is_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEPPERS", f"2:{'n' * 32},1:{'o' * 32}")
    assert Env().peppers("PEPPERS") == [(2, b"n" * 32), (1, b"o" * 32)]


@pytest.mark.parametrize(
    "text", ["secret", "1:short", f"x:{'s' * 32}", f":{'s' * 32}", ",", f"1:{'s' * 32},2", f"²:{'s' * 32}", "1" * 40]
)
def test_peppers_of_another_form_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PEPPERS", text)
    with pytest.raises(ImproperlyConfigured, match="PEPPERS"):
        Env().peppers("PEPPERS")


def test_peppers_are_made_in_development(state: Path) -> None:
    ((number, pepper),) = Env().peppers("PEPPERS")
    assert (number, len(pepper)) == (1, 64)
    assert Env().peppers("PEPPERS") == [(1, pepper)]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PAYMENT_GATEWAY": "paypal"}, "PAYMENT_GATEWAY is 'paypal': say sandbox or stripe."),
        (
            {"PAYMENT_GATEWAY": "stripe"},
            "PAYMENT_GATEWAY=stripe needs STRIPE_SECRET_KEY, which starts with sk_ or rk_.",
        ),
        (
            {"PAYMENT_GATEWAY": "stripe", "STRIPE_SECRET_KEY": "pk_live_1"},
            "PAYMENT_GATEWAY=stripe needs STRIPE_SECRET_KEY, which starts with sk_ or rk_.",
        ),
    ],
)
def test_a_payment_gateway_that_cannot_charge_stops_the_start(environment: dict[str, str], sentence: str) -> None:
    result = python("import config.settings", **REQUIRED | environment)
    assert result.stderr.splitlines()[-1].endswith(sentence)


def test_stripe_is_chosen_with_a_key_and_several_webhook_secrets() -> None:
    code = "from config import settings as s; print(s.STRIPE_SECRET_KEY, s.STRIPE_WEBHOOK_SECRETS, s.STRIPE_API_BASE)"
    stripe = {
        "PAYMENT_GATEWAY": "stripe",
        "STRIPE_SECRET_KEY": "rk_live_1",
        "STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_2",
    }
    result = python(code, **REQUIRED | stripe)
    assert result.stdout == "rk_live_1 ['whsec_1', 'whsec_2'] https://api.stripe.com\n", result.stderr


INSECURE = {
    "a short key": ({"SECRET_KEY": "kX2vT9mQ4rW8zL1pN6bD3hJ7cF5gS0a"}, "SECRET_KEY is weak"),
    "a key that repeats itself": ({"SECRET_KEY": "secret" * 10}, "SECRET_KEY is weak"),
    "a key of startproject": ({"SECRET_KEY": "django-insecure-" + REQUIRED["SECRET_KEY"]}, "SECRET_KEY is weak"),
    "debug pages": ({"DEBUG": "true"}, "DEBUG is on"),
    "an address without https": ({"BASE_URL": "http://api.example.com"}, "BASE_URL doesn't start with https://"),
    "the sandbox gateway": ({"PAYMENT_GATEWAY": "sandbox"}, "PAYMENT_GATEWAY is sandbox"),
    "a key of Stripe's sandbox": ({"STRIPE_SECRET_KEY": "sk_test_0000"}, "a key of Stripe's sandbox"),
}


@pytest.mark.parametrize("what", INSECURE)
def test_production_refuses_to_start_with_what_is_insecure(what: str) -> None:
    environment, reason = INSECURE[what]
    result = python("import config.settings", TOLLGATE_ENV="production", **STARTS | environment)
    assert result.returncode == 1
    assert reason in result.stderr.splitlines()[-1]
    assert "production refuses to start" in result.stderr.splitlines()[-1]


def test_development_starts_with_all_of_it(tmp_path: Path) -> None:
    environment = {name: text for changed, _ in INSECURE.values() for name, text in changed.items()}
    result = python("import config.settings", **STARTS | environment, TOLLGATE_STATE_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr
