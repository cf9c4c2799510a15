"""What has to be right before anything is served. The message of a failed check says what to do."""

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured


def check() -> None:
    """Raises ImproperlyConfigured."""
    check_static_files()


def check_static_files() -> None:
    """In production, pages name static files by the manifest that collectstatic writes."""
    storage = staticfiles_storage
    if isinstance(storage, ManifestStaticFilesStorage) and not storage.hashed_files:
        raise ImproperlyConfigured(
            f"The static files are missing in {settings.STATIC_ROOT}. "
            "Collect them: python manage.py collectstatic --noinput"
        )
