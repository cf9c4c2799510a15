"""IANA time zone names."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


@cache
def names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory", "posixrules"})


def validate(name: str) -> None:
    if name not in names():
        raise ValidationError(_("Must be an IANA time zone name, such as Europe/Paris."), code="invalid")


def zone(name: str) -> ZoneInfo:
    """The zone of a stored name. It was valid when it was stored; if the system's data has dropped it since, UTC."""
    return ZoneInfo(name if name in names() else "UTC")
