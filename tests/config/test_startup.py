"""What stops the start, with a sentence that says what to do."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts import signing
from accounts.models import SigningKey
from config import startup


def test_a_secret_key_that_was_replaced_without_a_fallback_stops_the_start(db: None, settings: Any) -> None:
    signing.current()
    startup.check_secret_key()
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        startup.check_secret_key()
    settings.SECRET_KEY_FALLBACKS = [before]
    startup.check_secret_key()


def test_a_new_signing_key_is_the_way_out_of_a_lost_secret_key(db: None, settings: Any) -> None:
    signing.current()
    settings.SECRET_KEY = "another" * 10
    signing.rotate()
    startup.check_secret_key()


def test_a_new_installation_starts(db: None) -> None:
    SigningKey.objects.all().delete()
    startup.check_secret_key()
