"""GitHub: OAuth 2 with PKCE. It has no ID token, so its API says who signed in, by a token that only we got."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from accounts.providers import identities
from accounts.providers.calls import Calls, refuse
from accounts.providers.identities import Challenge, Identity
from accounts.providers.registry import Provider

PUBLIC = "https://github.com"


def authorize_url(provider: Provider, challenge: Challenge, callback: str) -> str:
    params = {
        "client_id": provider.client_id,
        "redirect_uri": callback,
        "scope": "user:email",
        "state": challenge.state,
        **challenge.pkce,
    }
    return f"{provider.url}/login/oauth/authorize?{urlencode(params)}"


def identify(provider: Provider, challenge: Challenge, params: Mapping[str, str], callback: str) -> Identity:
    calls = Calls(provider)
    fields = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "code": params["code"],
        "redirect_uri": callback,
        "code_verifier": challenge.verifier,
    }
    answer = calls.post(f"{provider.url}/login/oauth/access_token", fields)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        refuse(provider, "no token")
    api = "https://api.github.com" if provider.url == PUBLIC else f"{provider.url}/api/v3"
    person = calls.get(f"{api}/user", token=token)
    subject = person.get("id") if isinstance(person, dict) else None
    if not isinstance(subject, int) or isinstance(subject, bool):
        refuse(provider, "no subject")
    email, is_verified = _primary(calls.get(f"{api}/user/emails", token=token))
    return identities.make(provider, str(subject), email, is_verified=is_verified, name=person.get("name"))


def _primary(rows: Any) -> tuple[Any, bool]:
    """The person's main address, and whether GitHub has verified it."""
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("primary") is True:
            return row.get("email"), row.get("verified") is True
    return None, False
