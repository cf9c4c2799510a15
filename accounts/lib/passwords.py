"""Normalizes passwords before they are checked and hashed.

Keyboards send the same character in different forms, an é as one code point or as two. NFKC makes them equal.
"""

import unicodedata
from typing import Any

from django.contrib.auth import password_validation


def normalize(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


class MinimumLength(password_validation.MinimumLengthValidator):
    def validate(self, password: str, user: Any = None) -> None:
        super().validate(normalize(password), user)


class NotCommon(password_validation.CommonPasswordValidator):
    def validate(self, password: str, user: Any = None) -> None:
        super().validate(normalize(password), user)


class NotSimilar(password_validation.UserAttributeSimilarityValidator):
    def validate(self, password: str, user: Any = None) -> None:
        super().validate(normalize(password), user)
