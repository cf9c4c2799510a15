"""The query parameters of reports. A bad value raises `InvalidField`, which names its parameter.

A name that the caller may not see is refused like one that doesn't exist.
"""

from datetime import date, datetime

from rest_framework.request import Request

from accounts.api import lookups
from accounts.api.filters import moment_parameter, text_parameter
from accounts.credentials import credential_of, organization_of
from accounts.lib import months, timezones
from accounts.lib.problems import InvalidField
from apikeys.models import ApiKey
from billing import clock
from billing.models import Meter
from usage.reporting import periods


def choice(request: Request, name: str, choices: tuple[str, ...], default: str) -> str:
    value = request.query_params.get(name, default)
    if value not in choices:
        raise InvalidField(name, f"Must be one of {', '.join(choices)}.")
    return value


def zone(request: Request) -> str:
    """The name in `timezone`; the caller's by default."""
    name = request.query_params.get("timezone")
    if name is None:
        return credential_of(request).timezone
    if name not in timezones.names():
        raise InvalidField("timezone", "Must be an IANA time zone name, such as Europe/Paris.")
    return name


def span(request: Request, period: str, timezone_name: str) -> tuple[datetime, datetime]:
    """`from` and `to`; by default the start of the period in the time zone, and now. Naive moments are read there."""
    now = clock.now(organization_of(request))
    start = moment(request, "from", timezone_name) or periods.start_of(period, now, timezone_name)
    end = moment(request, "to", timezone_name) or now
    if start > end:
        raise InvalidField("to" if "to" in request.query_params else "from", "from must not be after to.")
    return start, end


def moment(request: Request, name: str, timezone_name: str) -> datetime | None:
    text = request.query_params.get(name)
    return None if text is None else moment_parameter(name, text, timezone_name)


def key(request: Request) -> ApiKey | None:
    """The one of `key`, of the caller's subtree; None if it isn't given."""
    public_id = text_parameter(request, "key")
    if public_id is None:
        return None
    keys = ApiKey.objects.within(organization_of(request)).select_related("organization")
    key = keys.filter(public_id=public_id).first()
    if key is None or key.organization is None:
        raise InvalidField("key", "There is no such key.")
    lookups.check_address(request, key.organization)
    return key


def month(request: Request) -> date | None:
    """The first day of the one in `month`; None if it isn't given."""
    text = request.query_params.get("month")
    if text is None:
        return None
    try:
        return months.parse(text)
    except ValueError as error:
        raise InvalidField("month", "Expected a month such as 2026-10.") from error


def meter(request: Request) -> Meter | None:
    """The one of `meter`; None if it isn't given."""
    slug = text_parameter(request, "meter")
    if slug is None:
        return None
    named = Meter.objects.filter(slug=slug).first()
    if named is None:
        raise InvalidField("meter", "There is no such meter.")
    return named
