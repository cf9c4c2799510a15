"""Checks before anything is served. The message of a failed check says what to do."""

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from accounts import signing


def check() -> None:
    """Raises ImproperlyConfigured. A database that doesn't answer yet doesn't stop the start: /readyz reports it."""
    check_static_files()
    try:
        check_secret_key()
    except DatabaseError:
        return
    finally:
        connection.close()  # the workers are forks of this process


def check_static_files() -> None:
    """In production, pages look up static files in the manifest that collectstatic writes."""
    storage = staticfiles_storage
    if isinstance(storage, ManifestStaticFilesStorage) and not storage.hashed_files:
        raise ImproperlyConfigured(
            f"The static files are missing in {settings.STATIC_ROOT}. "
            "Collect them: python manage.py collectstatic --noinput"
        )


def check_secret_key() -> None:
    """The key that signs access tokens is encrypted under SECRET_KEY, or under a fallback."""
    if not signing.is_readable():
        raise ImproperlyConfigured(
            "SECRET_KEY isn't the one that encrypted the signing key of access tokens. Name the earlier one in "
            "SECRET_KEY_FALLBACKS. If it is lost, make another signing key: python manage.py rotate_signing_key"
        )
