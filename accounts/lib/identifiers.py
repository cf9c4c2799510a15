"""Public identifiers and secrets: random text from the operating system's generator."""

import re
import secrets
import string
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from uuid_utils.compat import uuid7 as _uuid7

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
LOWER36 = string.digits + string.ascii_lowercase
UPPER36 = string.digits + string.ascii_uppercase
HEX = "0123456789abcdef"
_UUID_DIGITS = re.compile("[0-9a-f]{32}")


def uuid7() -> UUID:
    """A time-ordered primary key, made here and passed to the database."""
    return _uuid7()


def first_uuid7(moment: datetime) -> UUID:
    """A lower bound of all keys that are made from this moment on."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def uuid_of(public_id: str, prefix: str) -> UUID:
    """The primary key in a public id such as `hold_…`. Raises `ValueError` for anything else."""
    digits = public_id.removeprefix(prefix)
    if digits == public_id or not _UUID_DIGITS.fullmatch(digits):
        raise ValueError(f"not an id that starts with {prefix}")
    return UUID(hex=digits)


def named(public_id: str, prefix: str) -> Q:
    """The row that a public id such as `hold_…` names; none for anything else."""
    try:
        return Q(pk=uuid_of(public_id, prefix))
    except ValueError:
        return Q(pk=None)


def random_text(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def organization_id() -> str:
    return f"acct_{random_text(LOWER36, 16)}"


def auth_id(*, root: bool) -> str:
    """`MA` for a root or `SA` for a child, then 18 characters. Plivo's SDKs check this form before they send it."""
    return ("MA" if root else "SA") + random_text(UPPER36, 18)


def billing_account_id() -> str:
    return f"cus_{random_text(BASE62, 14)}"


def api_key_id() -> str:
    return f"key_{random_text(HEX, 16)}"
