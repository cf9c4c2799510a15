"""The id that a form contains for the row that it will create. If the form is sent twice, for example by a reload, it
creates one row.

It is signed, so that nobody can choose the primary key of a row.
"""

from uuid import UUID

from django.core import signing
from django.utils.translation import gettext_noop

from accounts.lib.identifiers import uuid7

SALT = "new row"
DAY_SECONDS = 86_400
OUT_OF_DATE = gettext_noop("This form is out of date. Send it again.")


def new() -> str:
    return signing.dumps(uuid7().hex, salt=SALT)


def read(text: str) -> UUID:
    """`ValueError` for an id that is not ours, or older than a day."""
    try:
        return UUID(hex=signing.loads(text, salt=SALT, max_age=DAY_SECONDS))
    except signing.BadSignature as error:
        raise ValueError(OUT_OF_DATE) from error
