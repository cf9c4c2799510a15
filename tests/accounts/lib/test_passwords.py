"""Which passwords are taken."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User

GOOD = "correct horse battery"


def test_a_long_phrase_is_taken() -> None:
    """A refusal would be a ValidationError."""
    validate_password(GOOD, User(email="dora@example.com", name="Dora"))
    validate_password("é" + GOOD * 40)


@pytest.mark.parametrize(
    "password", ["elevenchars", "123456789012", "password12345", "p" * 40, "dora.miller@example.com", "DoraMiller12"]
)
def test_a_short_or_easy_one_is_not(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(email="dora.miller@example.com", name="Dora Miller"))


def test_a_stolen_one_is_refused_where_there_is_a_list(tmp_path: Path, settings: Any) -> None:
    digest = hashlib.sha1(GOOD.encode(), usedforsecurity=False).hexdigest().upper()
    (tmp_path / f"{digest[:5]}.txt").write_text(f"{'0' * 35}:1\n{digest[5:]}:42\n")
    settings.BREACHED_PASSWORDS = str(tmp_path)
    with pytest.raises(ValidationError, match="stolen"):
        validate_password(GOOD)
    validate_password(f"{GOOD} staple")
