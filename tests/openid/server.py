"""Discovery, keys, the page on which a person signs in, and the exchange of the code, with PKCE checked."""

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.openid import modes

CLIENT, SECRET, KID = "tollgate", "the client's secret", "1"
SLOW_SECONDS = 30
ANN = {"subject": "ann-1", "email": "ann@example.com", "name": "Ann"}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.key, self.foreign_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, dict[str, str]] = {}

    @property
    def public_jwk(self) -> dict[str, Any]:
        jwk: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**jwk, "kid": KID, "use": "sig", "alg": "RS256"}

    @property
    def public_pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        mode, _, path = parts.path.lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query))
        pages: dict[str, Callable[[str], None]] = {
            ".well-known/openid-configuration": self.configuration,
            "keys": self.keys,
            "userinfo": self.user_info,
            "loop": self.loop,
            "api/v3/user": self.github_user,
            "api/v3/user/emails": self.github_emails,
        }
        if path in ("authorize", "login/oauth/authorize"):
            self.authorize(mode, query)
        elif path in pages:
            pages[path](mode)
        else:
            self.answer(200 if mode == "favicon.ico" else 404, b"")

    def do_POST(self) -> None:
        mode, _, path = urlsplit(self.path).path.lstrip("/").partition("/")
        fields = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if mode == "slow":
            time.sleep(SLOW_SECONDS)
        if mode == "redirects":
            self.loop(mode)
        elif mode in modes.STATUSES:
            self.answer(modes.STATUSES[mode], b'{"error": "invalid_grant"}')
        elif mode in modes.BODIES:
            self.answer(200, modes.BODIES[mode]())
        elif (begun := self._begun(fields)) is None:
            self.answer(400, b'{"error": "invalid_grant"}')
        else:
            token = secrets.token_urlsafe(16)
            self.server.tokens[token] = begun
            is_github = path.startswith("login/oauth")
            self.json({"access_token": token, **({} if is_github else {"id_token": self._id_token(mode, begun)})})

    def configuration(self, mode: str) -> None:
        issuer = f"{self.server.address}/{mode}"
        document = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "userinfo_endpoint": f"{issuer}/userinfo",
        }
        if mode == "configuration-loop":
            self.loop(mode)
        else:
            self.json(modes.changed(modes.CONFIGURATIONS, mode, document))

    def keys(self, mode: str) -> None:
        self.json(
            modes.KEYS[mode](self.server.public_jwk) if mode in modes.KEYS else {"keys": [self.server.public_jwk]}
        )

    def authorize(self, mode: str, query: dict[str, str]) -> None:
        """The page of the provider. `person` chooses who signs in, as JSON."""
        person = {**ANN, **json.loads(query.pop("person", "{}"))}
        code = secrets.token_urlsafe(16)
        self.server.codes[code] = {**query, **person}
        back = urlencode({"code": code, "state": query.get("state", ""), "iss": f"{self.server.address}/{mode}"})
        link = html.escape(f"{query['redirect_uri']}?{back}")
        self.answer(200, f'<title>Provider</title><a id="enter" href="{link}">Enter</a>'.encode(), "text/html")

    def user_info(self, mode: str) -> None:
        begun = self._of_token()
        subject = "somebody else" if mode == "other-user-info" else begun["subject"]
        self.json({"sub": subject, "email": begun["email"], "email_verified": mode != "no-email"})

    def github_user(self, mode: str) -> None:
        begun = self._of_token()
        self.json({"id": begun.get("github_id", 42), "name": begun["name"], "login": "ann"})

    def github_emails(self, mode: str) -> None:
        email = {"email": self._of_token()["email"], "primary": True, "verified": mode != "github-unverified"}
        self.json([{"email": "other@example.com", "primary": False, "verified": True}, email])

    def loop(self, mode: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.server.address}/{mode}/loop")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def json(self, answer: Any) -> None:
        self.answer(200, json.dumps(answer).encode())

    def answer(self, status: int, body: bytes, type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass

    def _begun(self, fields: dict[str, str]) -> dict[str, str] | None:
        """What the code was given for, once, to the client that has its secret and the verifier."""
        begun = self.server.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        is_good = (
            begun is not None
            and (fields.get("client_id"), fields.get("client_secret")) == (CLIENT, SECRET)
            and fields.get("redirect_uri") == begun["redirect_uri"]
            and (begun.get("code_challenge"), begun.get("code_challenge_method")) == (challenge, "S256")
        )
        return begun if is_good else None

    def _of_token(self) -> dict[str, str]:
        return self.server.tokens[self.headers["Authorization"].removeprefix("Bearer ")]

    def _id_token(self, mode: str, begun: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": f"{self.server.address}/{mode}",
            "aud": CLIENT,
            "sub": begun["subject"],
            "iat": now,
            "exp": now + 300,
            "nonce": begun.get("nonce"),
            "email": begun["email"],
            "email_verified": True,
            "name": begun["name"],
        }
        claims = modes.changed(modes.CLAIMS, mode, claims)
        algorithm = modes.SIGNATURES.get(mode, "RS256")
        if mode == "public-key-as-secret":
            return _signed_with(claims, self.server.public_pem)
        keys: dict[str, Any] = {"none": None, "shared-secret": SECRET, "foreign-key": self.server.foreign_key}
        return jwt.encode(claims, keys.get(mode, self.server.key), algorithm=algorithm, headers={"kid": KID})


def _signed_with(claims: dict[str, Any], secret: bytes) -> str:
    """By hand: the library refuses to sign with a public key."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = part(json.dumps({"alg": "HS256", "kid": KID}).encode())
    body = part(json.dumps(claims).encode())
    return f"{head}.{body}.{part(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"
