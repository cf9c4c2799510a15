"""What each provider does wrong. A mode that is in none of these tables is honest."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

Claims = dict[str, Any]

# Changes to the claims of an ID token.
CLAIMS: Mapping[str, Callable[[Claims], Claims]] = {
    "wrong-nonce": lambda claims: {**claims, "nonce": "another"},
    "no-nonce": lambda claims: _without(claims, "nonce"),
    "wrong-audience": lambda claims: {**claims, "aud": "another"},
    "other-client": lambda claims: {**claims, "aud": [claims["aud"], "another"], "azp": "another"},
    "wrong-issuer": lambda claims: {**claims, "iss": "https://accounts.example"},
    "expired": lambda claims: {**claims, "exp": int(time.time()) - 3600},
    "from-the-future": lambda claims: {**claims, "iat": int(time.time()) + 3600},
    "no-expiry": lambda claims: _without(claims, "exp"),
    "no-subject": lambda claims: _without(claims, "sub"),
    "number-subject": lambda claims: {**claims, "sub": 7},
    "nul-subject": lambda claims: {**claims, "sub": "a\0b"},
    "long-subject": lambda claims: {**claims, "sub": "a" * 256},
    "unverified": lambda claims: {**claims, "email_verified": False},
    "verified-text": lambda claims: {**claims, "email_verified": "true"},
    "no-email": lambda claims: _without(claims, "email"),
    "list-email": lambda claims: {**claims, "email": ["a@example.com"]},
    "nonsense-email": lambda claims: {**claims, "email": "a\0b@\u2603"},
    "user-info": lambda claims: _without(claims, "email"),
    "other-user-info": lambda claims: _without(claims, "email"),
}
# How the ID token is signed: the algorithm, and whose key it is.
SIGNATURES = {"none": "none", "shared-secret": "HS256", "public-key-as-secret": "HS256", "foreign-key": "RS256"}
# The body of the answer to the code.
BODIES: Mapping[str, Callable[[], bytes]] = {
    "not-json": lambda: b"<html>",
    "list": lambda: b"[1, 2]",
    "deep": lambda: b"[" * 100_000,
    "empty": lambda: b"",
    "no-token": lambda: json.dumps({"access_token": "x"}).encode(),
    "number-token": lambda: json.dumps({"id_token": 7}).encode(),
    "nonsense-token": lambda: json.dumps({"id_token": "a.b.c"}).encode(),
    "huge": lambda: b'{"id_token": "' + b"a" * (8 << 20) + b'"}',
}
STATUSES = {"status-400": 400, "status-500": 500}
# Changes to the configuration.
CONFIGURATIONS: Mapping[str, Callable[[Claims], Any]] = {
    "other-issuer": lambda document: {**document, "issuer": "https://accounts.example"},
    "script": lambda document: {**document, "authorization_endpoint": "javascript:alert(1)"},
    "no-endpoints": lambda document: {"issuer": document["issuer"]},
    "inside": lambda document: {**document, "token_endpoint": "http://169.254.169.254/latest"},
    "configuration-list": lambda document: [document],
}
KEYS: Mapping[str, Callable[[Claims], Any]] = {
    "no-keys": lambda key: {"keys": []},
    "keys-text": lambda key: {"keys": "none"},
    "nonsense-keys": lambda key: {"keys": [7, {**key, "n": 7}]},
    "two-keys": lambda key: {"keys": [key, key]},
}


def changed(table: Mapping[str, Callable[[Claims], Any]], mode: str, value: Claims) -> Any:
    return table[mode](value) if mode in table else value


def _without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}
