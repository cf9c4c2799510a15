"""OpenID Connect: the authorization code flow with PKCE (S256) and a nonce, and every claim of the ID token checked.

Written out here because the library's own flow trusts the algorithm that the token names, has no nonce, and takes the
shape of every answer for granted.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
from django.core.cache import cache

from accounts.providers import identities
from accounts.providers.calls import Calls, networks, refuse
from accounts.providers.identities import Challenge, Identity
from accounts.providers.registry import Provider
from accounts.webhooks import urls

# Signatures by a key that the provider publishes. With `none` or a shared secret, anybody could make a token.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
CONFIGURATION_SECONDS = 600
LEEWAY_SECONDS = 60
TENANT = "{tenantid}"  # in the issuer of Microsoft's providers for several tenants
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def authorize_url(provider: Provider, challenge: Challenge, callback: str) -> str:
    """Where the browser goes to sign in."""
    params = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": callback,
        "scope": "openid email profile",
        "state": challenge.state,
        "nonce": challenge.nonce,
        **challenge.pkce,
    }
    endpoint = str(_configuration(Calls(provider))["authorization_endpoint"])
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(params)}"


def identify(provider: Provider, challenge: Challenge, params: Mapping[str, str], callback: str) -> Identity:
    """Who signed in, from the parameters that the provider sent the browser back with."""
    calls = Calls(provider)
    if params.get("iss", provider.issuer) != provider.issuer and TENANT not in provider.issuer:
        refuse(provider, "another issuer answered")
    configuration = _configuration(calls)
    fields = {
        "grant_type": "authorization_code",
        "code": params["code"],
        "redirect_uri": callback,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "code_verifier": challenge.verifier,
    }
    answer = _object(calls, calls.post(configuration["token_endpoint"], fields))
    claims = _claims(calls, str(answer.get("id_token")), configuration["jwks_uri"])
    if not secrets.compare_digest(str(claims["nonce"]).encode(), challenge.nonce.encode()):
        refuse(provider, "wrong nonce")
    if "email" not in claims and configuration.get("userinfo_endpoint"):
        claims = {**claims, **_user_info(calls, configuration["userinfo_endpoint"], answer, claims["sub"])}
    return _identity(calls, claims)


def _configuration(calls: Calls) -> dict[str, Any]:
    """The provider's published configuration, cached for ten minutes."""
    issuer = calls.provider.issuer
    key = f"openid:{hashlib.sha256(issuer.encode()).hexdigest()}"
    if kept := cache.get(key):
        return dict(kept)
    path = issuer.replace(TENANT, "organizations").rstrip("/")
    document = _object(calls, calls.get(f"{path}/.well-known/openid-configuration"))
    if document.get("issuer") != issuer:
        refuse(calls.provider, "the configuration names another issuer")
    for name in ENDPOINTS:
        _check_url(calls, document.get(name))
    cache.set(key, document, CONFIGURATION_SECONDS)
    return document


def _check_url(calls: Calls, url: Any) -> None:
    """The browser is sent to one of them, so nothing but a web address may stand there."""
    try:
        urls.check_address(urls.target(str(url), networks()), networks())
    except ValueError:
        refuse(calls.provider, "the configuration has no usable endpoints")


def _claims(calls: Calls, token: str, jwks_uri: str) -> dict[str, Any]:
    provider = calls.provider
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            refuse(provider, "the algorithm is not allowed")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(calls, header, jwks_uri),
            algorithms=[header["alg"]],
            audience=provider.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"], "verify_iss": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
        refuse(provider, f"the token is not valid: {type(error).__name__}")
    if claims["iss"] != _issuer(provider, claims):
        refuse(provider, "wrong issuer")
    if claims.get("azp", provider.client_id) != provider.client_id:
        refuse(provider, "the token is for another client")
    return claims


def _key(calls: Calls, header: Mapping[str, Any], jwks_uri: str) -> Any:
    """The provider's key that the token names. A token may name none if the provider has only one key."""
    published = _object(calls, calls.get(jwks_uri)).get("keys")
    usable = [
        row
        for row in (published if isinstance(published, list) else [])
        if isinstance(row, dict) and row.get("kty") in ("RSA", "EC", "OKP") and row.get("use", "sig") == "sig"
    ]
    named = [row for row in usable if row.get("kid") == header.get("kid")] if "kid" in header else usable
    if len(named) != 1:
        refuse(calls.provider, "no key of the provider's signed the token")
    return jwt.PyJWK(named[0], algorithm=header["alg"]).key


def _issuer(provider: Provider, claims: Mapping[str, Any]) -> str:
    if TENANT not in provider.issuer:
        return provider.issuer
    try:
        return provider.issuer.replace(TENANT, str(UUID(str(claims.get("tid")))))
    except ValueError:
        refuse(provider, "no tenant")


def _user_info(calls: Calls, url: str, answer: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Claims that the token lacks, from the user info endpoint. They only count if they are about the same person."""
    known = _object(calls, calls.get(url, token=str(answer.get("access_token"))))
    if known.get("sub") != subject:
        refuse(calls.provider, "the user info is somebody else's")
    return {name: known[name] for name in ("email", "email_verified", "name") if name in known}


def _identity(calls: Calls, claims: Mapping[str, Any]) -> Identity:
    is_verified = claims.get("email_verified") is True
    try:
        return identities.make(
            calls.provider, claims["sub"], claims.get("email"), is_verified=is_verified, name=claims.get("name")
        )
    except ValueError:
        refuse(calls.provider, "no subject")


def _object(calls: Calls, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        refuse(calls.provider, "not a JSON object")
    return answer
