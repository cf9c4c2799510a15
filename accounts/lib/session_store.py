"""Sessions of the dashboard. A row is named by a digest of the key in the cookie, so that a copy of the database opens
nobody's session.
"""

import base64
import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone

DIGEST_LENGTH = 40  # what `django_session.session_key` holds; a key is shorter


def digest(session_key: str) -> str:
    """240 bits of SHA-256, in URL-safe base64. It needs no salt: a key has 165 random bits."""
    whole = hashlib.sha256(session_key.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(whole[:30]).decode()


class SessionStore(db.SessionStore):
    """Its `session_key` is that of the cookie; the `session_key` of a row is the digest.

    The class must have the name of Django's, which signs the data with it.
    """

    def load(self) -> dict[str, Any]:
        assert self.session_key is not None
        living = self.model.objects.filter(expire_date__gt=timezone.now())
        row = living.filter(session_key=digest(self.session_key)).first()
        if row is None:
            self._session_key = None  # a new session doesn't take over a key that somebody chose
            return {}
        return self.decode(row.session_data)

    def exists(self, session_key: str) -> bool:
        return super().exists(digest(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        row.session_key = digest(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(digest(key))

    # Django's own would read and write the key itself. These run the methods above in a thread.
    aload = SessionBase.aload
    aexists = SessionBase.aexists
    acreate = SessionBase.acreate
    asave = SessionBase.asave
    adelete = SessionBase.adelete
