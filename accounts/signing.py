"""The RSA keys that sign access tokens. The first is made when it is needed; all can be rotated and are published."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from accounts.lib import encryption, identifiers, instances, sql
from accounts.models import SigningKey

ALGORITHM = "RS256"
PURPOSE = "signing key"
SEAL = "tollgate-seal+jws"
PUBLISHED = sql.compose(
    """
SELECT {key} FROM accounts_signingkey AS key
 WHERE key.retired_at IS NULL OR key.retired_at > %(since)s
 ORDER BY key.created_at DESC
""",
    key=instances.columns(SigningKey, "key"),
)


def current() -> SigningKey:
    """The key that signs. On a new installation, the first call makes it."""
    return SigningKey.objects.filter(retired_at=None).first() or _first()


def is_readable() -> bool:
    """Whether the key that signs can be decrypted with the present SECRET_KEY and its fallbacks."""
    key = SigningKey.objects.filter(retired_at=None).first()
    try:
        return key is None or bool(encryption.decrypt(bytes(key.private_key), purpose=PURPOSE))
    except InvalidToken:
        return False


def _first() -> SigningKey:
    try:
        with transaction.atomic():
            return _make()
    except IntegrityError:  # another process made it at the same moment
        return SigningKey.objects.get(retired_at=None)


def _make() -> SigningKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey.objects.create(
        kid=identifiers.random_text(identifiers.HEX, 32),
        private_key=encryption.encrypt(private, purpose=PURPOSE),
        public_key=public.decode(),
    )


@transaction.atomic
def rotate() -> SigningKey:
    """Make a new key and retire the current one, which still verifies as long as an access token lives."""
    SigningKey.objects.filter(retired_at=None).update(retired_at=timezone.now())
    return _make()


def jwks() -> dict[str, Any]:
    """The JWK set (RFC 7517) of every key that may have signed a token that is still valid."""
    return {"keys": [_jwk(key) for key in _published()]}


def _published() -> list[SigningKey]:
    """The current key, and those retired so recently that a token signed with them may still be valid."""
    since = timezone.now() - settings.ACCESS_TOKEN_LIFETIME
    return [key for (key,) in instances.read(PUBLISHED, {"since": since}, SigningKey)]


def seal_keys() -> dict[str, Any]:
    """The JWK set of every key that ever signed a seal. They prove old files, and no access token."""
    return {"keys": [_jwk(key) for key in SigningKey.objects.order_by("created_at")]}


def seal(claims: Mapping[str, Any]) -> str:
    """A compact JWS (RFC 7515) of the claims. Its `typ` keeps anyone from taking it for an access token."""
    key = current()
    headers = {"kid": key.kid, "typ": SEAL}
    claims = {**claims, "iss": settings.BASE_URL}
    return jwt.encode(claims, _private(bytes(key.private_key)), algorithm=ALGORITHM, headers=headers)


def _jwk(key: SigningKey) -> dict[str, Any]:
    public = json.loads(RSAAlgorithm.to_jwk(_public(key.public_key)))
    return {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": key.kid, "n": public["n"], "e": public["e"]}


@lru_cache(maxsize=8)
def _public(pem: str) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


@lru_cache(maxsize=8)
def _private(sealed: bytes) -> rsa.RSAPrivateKey:
    pem = encryption.decrypt(sealed, purpose=PURPOSE)
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


class KeyRing(TokenBackend):
    """simplejwt's backend with our keys: it signs with the current one and verifies with the one that `kid` names."""

    def encode(self, payload: dict[str, Any]) -> str:
        key = current()
        return jwt.encode(
            {**payload, "iss": self.issuer},
            _private(bytes(key.private_key)),
            algorithm=ALGORITHM,
            headers={"kid": key.kid},
        )

    def get_verifying_key(self, token: Any) -> Any:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error
        for key in _published():
            if key.kid == kid:
                return _public(key.public_key)
        raise TokenBackendError("Token is signed with an unknown key")
