"""What the reports are asked in the query string. A bad value is `InvalidField`, which names its parameter.

What is beyond the caller's subtree is refused as what there is not.
"""

from datetime import datetime

from django.utils import timezone
from rest_framework.request import Request

from accounts.api.filters import moment_parameter, text_parameter
from accounts.credentials import credential_of, organization_of
from accounts.lib import timezones
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.reporting import periods


def choice(request: Request, name: str, choices: tuple[str, ...], default: str) -> str:
    value = request.query_params.get(name, default)
    if value not in choices:
        raise InvalidField(name, f"Must be one of {', '.join(choices)}.")
    return value


def zone(request: Request) -> str:
    """The name of `timezone`; the caller's by default."""
    name = request.query_params.get("timezone")
    if name is None:
        return credential_of(request).timezone
    if name not in timezones.names():
        raise InvalidField("timezone", "Not an IANA time zone name, such as Europe/Paris.")
    return name


def span(request: Request, period: str, timezone_name: str) -> tuple[datetime, datetime]:
    """`from` and `to`, naive ones in the zone; the start of the period there, and now, by default."""
    now = timezone.now()
    start_text, end_text = request.query_params.get("from"), request.query_params.get("to")
    start = periods.start_of(period, now, timezone_name)
    start = moment_parameter("from", start_text, timezone_name) if start_text else start
    end = moment_parameter("to", end_text, timezone_name) if end_text else now
    if start > end:
        raise InvalidField("to" if end_text else "from", "from must not be after to.")
    return start, end


def organization(request: Request) -> Organization:
    """The caller's by default, or one beneath it by its public id."""
    public_id, mine = text_parameter(request, "organization"), organization_of(request)
    if public_id is None:
        return mine
    found = Organization.objects.within(mine).filter(public_id=public_id).first()
    if found is None:
        raise InvalidField("organization", "There is no such organization.")
    return found


def key(request: Request) -> ApiKey | None:
    """One of the caller's subtree by its public id; None where none is said."""
    public_id = text_parameter(request, "key")
    if public_id is None:
        return None
    reach = Organization.objects.within(organization_of(request))
    found = ApiKey.objects.filter(public_id=public_id, organization__in=reach).first()
    if found is None:
        raise InvalidField("key", "There is no such key.")
    return found


def meter(request: Request) -> Meter | None:
    """By its slug; None where none is said."""
    slug = text_parameter(request, "meter")
    if slug is None:
        return None
    found = Meter.objects.filter(slug=slug).first()
    if found is None:
        raise InvalidField("meter", "There is no such meter.")
    return found
