"""Secrets at rest: authenticated encryption under keys derived from SECRET_KEY and its fallbacks."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def _fernet(purpose: str) -> MultiFernet:
    def derived(secret: str) -> Fernet:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
        return Fernet(base64.urlsafe_b64encode(key))

    return MultiFernet([derived(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def encrypt(plain: bytes, *, purpose: str) -> bytes:
    return _fernet(purpose).encrypt(plain)


def decrypt(sealed: bytes, *, purpose: str) -> bytes:
    """The plain bytes. Raises `cryptography.fernet.InvalidToken` if none of the keys fits."""
    return _fernet(purpose).decrypt(bytes(sealed))
