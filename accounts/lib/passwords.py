"""Passwords: one form of their characters, and whether they withstand guessing.

Keyboards send the same character in different forms, an é as one code point or as two. NFKC makes them equal.
"""

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from zxcvbn_rs_py import zxcvbn

SHORTEST = 12
LONGEST_JUDGED = 100  # the strength of the rest adds nothing, and takes time
STRONG_ENOUGH = 3  # of 0 to 4: at least 10^8 guesses
PREFIX = 5  # hexadecimal digits of the SHA-1 that name a file of breached passwords


def normalize(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


class LongEnough:
    def validate(self, password: str, user: Any = None) -> None:
        if len(normalize(password)) < SHORTEST:
            raise ValidationError(self.get_help_text(), code="password_too_short")

    def get_help_text(self) -> str:
        return gettext("At least %(count)s characters.") % {"count": SHORTEST}


class HardToGuess:
    """Judged by zxcvbn, which is told what anybody would try: the person's own name and address, and ours."""

    def validate(self, password: str, user: Any = None) -> None:
        if int(zxcvbn(normalize(password)[:LONGEST_JUDGED], _context(user)).score) < STRONG_ENOUGH:
            raise ValidationError(
                gettext("This password is easy to guess. Use several unrelated words."), code="password_weak"
            )

    def get_help_text(self) -> str:
        return gettext("Not one that is easy to guess, and not your name.")


def _context(user: Any) -> list[str]:
    """The words that belong to this person and to this product, whole and in parts."""
    texts = ["tollgate", *((user.email, user.name) if user is not None else ())]
    return [word for text in texts for word in (text, *re.findall(r"\w+", text)) if word]


class NotBreached:
    """Looks into the folder BREACHED_PASSWORDS, if there is one: files by the first digits of the SHA-1.

    A file `ABCDE.txt` has lines `rest of the SHA-1:count`, as haveibeenpwned publishes them.
    """

    def validate(self, password: str, user: Any = None) -> None:
        if settings.BREACHED_PASSWORDS and _is_listed(Path(settings.BREACHED_PASSWORDS), normalize(password)):
            detail = gettext("This password is in a list of stolen passwords. Choose another one.")
            raise ValidationError(detail, code="password_breached")

    def get_help_text(self) -> str:
        return gettext("Not one that you use elsewhere, since it may be stolen there.")


def _is_listed(folder: Path, password: str) -> bool:
    digest = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()
    file = folder / f"{digest[:PREFIX]}.txt"
    return file.exists() and any(line.startswith(f"{digest[PREFIX:]}:") for line in file.read_text().splitlines())
