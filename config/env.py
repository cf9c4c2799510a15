"""A typed reader of the environment that fails loudly.

Outside production nothing has to be set. Secrets are made once and kept in the state folder: there is no known default.
With `TOLLGATE_ENV=production` nothing starts while a setting is missing or insecure, and the message names all of them.
"""

import os
import re
import secrets
from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / (os.environ.get("TOLLGATE_STATE_DIR") or ".tollgate")


class Env:
    """Reads variables by type, and collects what production lacks or must not have until `check()`."""

    def __init__(self) -> None:
        self._env = environ.Env()
        self._missing: list[str] = []
        self._refused: list[str] = []
        mode = os.environ.get("TOLLGATE_ENV", "development")
        if mode not in ("development", "production"):
            raise ImproperlyConfigured(f"TOLLGATE_ENV is {mode!r}: say development or production.")
        self.production = mode == "production"

    def _read(self, kind: str, name: str, default: Any) -> Any:
        try:
            return getattr(self._env, kind)(name, default=default)
        except (ValueError, KeyError) as error:
            raise ImproperlyConfigured(f"{name} is not a valid {kind}: {os.environ.get(name)!r}.") from error

    def text(self, name: str, default: str) -> str:
        return str(self._read("str", name, default))

    def integer(self, name: str, default: int) -> int:
        return int(self._read("int", name, default))

    def amount_or_none(self, name: str, default: str) -> Decimal | None:
        """A number that isn't negative, or `none`."""
        text = self.text(name, default)
        if text != "none" and not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            raise ImproperlyConfigured(f"{name} is {text!r}: say a number such as 100, or none.")
        return None if text == "none" else Decimal(text)

    def boolean(self, name: str, default: bool) -> bool:
        text = os.environ.get(name)
        if text is not None and text.lower() not in ("true", "false", "1", "0", "on", "off", "yes", "no"):
            raise ImproperlyConfigured(f"{name} is {text!r}: say true or false.")
        return bool(self._read("bool", name, default))

    def words(self, name: str, default: list[str]) -> list[str]:
        return list(self._read("list", name, default))

    def mapping(self, name: str, default: dict[str, str]) -> dict[str, str]:
        """Pairs such as `usage=4400,tax=1776`, which replace those of the same name in the default."""
        pairs = [text.partition("=") for text in self.words(name, default=[])]
        if wrong := next((key for key, _, value in pairs if key not in default or not value), None):
            raise ImproperlyConfigured(f"{name} has {wrong!r}: say NAME=VALUE, with one of {', '.join(default)}.")
        return {**default, **{key: value for key, _, value in pairs}}

    def networks(self, name: str) -> list[str]:
        """IPv4 and IPv6 networks in their normal form; none by default."""
        try:
            return [str(ip_network(text)) for text in self.words(name, default=[])]
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be networks such as 10.0.0.0/8, with commas: {error}.") from error

    def path(self, name: str, default: Path) -> Path:
        return Path(os.environ.get(name) or default)

    def required(self, name: str, development: Callable[[], str]) -> str:
        """The variable, or `development()` outside production. In production it must be set."""
        if value := os.environ.get(name, ""):
            return value
        if self.production:
            self._missing.append(name)
            return ""
        return development()

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
        """A required secret. Outside production one is made at the first start and kept in the state folder."""
        return self.required(name, lambda: _kept_secret(name, make))

    def stripe_key(self, name: str) -> str:
        """A secret or restricted key of Stripe's; a publishable one can't charge."""
        value = os.environ.get(name, "")
        if not value.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise ImproperlyConfigured(f"PAYMENT_GATEWAY=stripe needs {name}, which starts with sk_ or rk_.")
        return value

    def peppers(self, name: str) -> list[tuple[int, bytes]]:
        """Numbered secrets, `number:secret,…`, newest first. The first one signs, all of them verify."""
        text = self.secret(name, lambda: f"1:{secrets.token_hex(32)}")
        pairs = [pepper.partition(":") for pepper in text.split(",") if pepper]
        if (text and not pairs) or not all(number.isdecimal() and len(secret) >= 32 for number, _, secret in pairs):
            raise ImproperlyConfigured(f"{name} must be number:secret,… with secrets of 32 characters or more.")
        return [(int(number), secret.encode()) for number, _, secret in pairs]

    def refuse(self, insecure: bool, reason: str) -> None:
        """Record a problem that must stop a start in production."""
        if insecure and self.production:
            self._refused.append(reason)

    def check(self) -> None:
        """Raises ImproperlyConfigured for what is missing, or else for what is insecure: all of it at once."""
        if self._missing:
            raise ImproperlyConfigured(f"TOLLGATE_ENV=production needs {', '.join(self._missing)}.")
        if self._refused:
            raise ImproperlyConfigured(f"TOLLGATE_ENV=production refuses to start. {' '.join(self._refused)}")


def is_weak(secret: str) -> bool:
    """Whether a secret is too short, or its characters repeat too much to be random."""
    return len(secret) < 32 or len(set(secret)) < 12 or secret.startswith("django-insecure")


def _kept_secret(name: str, make: Callable[[], str]) -> str:
    path = STATE_DIR / "secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(make())
        try:  # of several processes that start at once, one wins and all read what it wrote
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
