"""The headers of a proxy's request. The proxy's configuration sets them, and overwrites whatever the customer sent.

An empty header counts as a missing one, since that is how proxies clear headers.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest

from accounts.lib.problems import InvalidField
from usage.api.verify.calls import InvalidCall
from usage.api.verify.fields import FIELDS
from usage.gate.query import Call

PREFIX = "X-Tollgate-"
PLATFORM_KEY = "X-Tollgate-Platform-Key"
KEY_PARAMETER = "X-Tollgate-Key-Parameter"
REFUSE_WITH = "X-Tollgate-Refuse-With"
API_KEY = "X-Api-Key"
# The fields of a call, and the headers that they come in.
CALL = {
    "permission": "X-Tollgate-Permission",
    "meter": "X-Tollgate-Meter",
    "quantity": "X-Tollgate-Quantity",
    "ip": "X-Tollgate-Ip",
    "hold_seconds": "X-Tollgate-Hold-Seconds",
}
# The headers with the customer's own path and query: nginx by our configuration, then Caddy and Traefik.
ORIGINAL_ADDRESS = ("X-Original-Uri", "X-Forwarded-Uri")
FORWARDED_FOR = "X-Forwarded-For"
LONGEST_SECRET = 255
NAMES_REMEMBERED = 100
BEARER = "bearer "


def _key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


READ = (
    "Authorization",
    PLATFORM_KEY,
    KEY_PARAMETER,
    REFUSE_WITH,
    API_KEY,
    *CALL.values(),
    *ORIGINAL_ADDRESS,
    FORWARDED_FOR,
)
KEYS = {header: _key(header) for header in READ}
OURS = _key(PREFIX)
KNOWN = {KEYS[header] for header in (PLATFORM_KEY, KEY_PARAMETER, REFUSE_WITH, *CALL.values())}


def value(request: HttpRequest, header: str) -> str:
    return str(request.META.get(KEYS[header], "")).strip()


def secrets(request: HttpRequest) -> tuple[str, str]:
    """The platform's key and the customer's; empty if missing.

    `Authorization` has the platform's key, or the customer's if `X-Tollgate-Platform-Key` has the platform's.
    """
    bearer = value(request, "Authorization")
    bearer = bearer[len(BEARER) :].strip() if bearer[: len(BEARER)].lower() == BEARER else ""
    platform = value(request, PLATFORM_KEY)
    customer = value(request, API_KEY) or (bearer if platform else "") or _in_query(request)
    return platform or bearer, customer if len(customer) <= LONGEST_SECRET else ""


def _in_query(request: HttpRequest) -> str:
    """The key in the query of the customer's request, under the name that the proxy gives; empty if there are two."""
    name = value(request, KEY_PARAMETER)
    if not name:
        return ""
    address = next((text for header in ORIGINAL_ADDRESS if (text := value(request, header))), request.get_full_path())
    try:
        values = parse_qs(urlsplit(address).query, max_num_fields=1000).get(name, [])
    except ValueError:
        return ""
    return values[0] if len(values) == 1 else ""


def call(request: HttpRequest, secret: str) -> Call:
    """The call in the headers. A 400 names the headers with invalid values."""
    values: dict[str, Any] = {}
    errors: list[Mapping[str, str]] = []
    for name, header in CALL.items():
        if text := value(request, header):
            if name == "ip" and text == FORWARDED_FOR:
                text = _last_hop(request)
            try:
                values[name] = FIELDS[name].check(int(text) if _is_number(name, text) else text)
            except ValueError as error:
                errors.append({"pointer": f"/{header}", "detail": str(error)})
    # A typo in a name must not switch off a check.
    unknown = _unknown(tuple(request.META))
    errors += [{"pointer": f"/{_header(key)}", "detail": "There is no such header."} for key in unknown]
    if errors:
        raise InvalidCall(errors=errors)
    return Call(secret, **values)


def _last_hop(request: HttpRequest) -> str:
    """The address that the proxy itself added to `X-Forwarded-For`: Traefik can't put it anywhere else."""
    return value(request, FORWARDED_FOR).rpartition(",")[2].strip()


@lru_cache(NAMES_REMEMBERED)
def _unknown(keys: tuple[str, ...]) -> list[str]:
    """Headers of ours that don't exist. A proxy sends the same names again and again."""
    return sorted(key for key in keys if key.startswith(OURS) and key not in KNOWN)


def refuses_with_403(request: HttpRequest) -> bool:
    """nginx only passes on 401 and 403, so its configuration asks for 403 instead of 402 and 429."""
    text = value(request, REFUSE_WITH)
    if text not in {"", "403"}:
        raise InvalidField(REFUSE_WITH, "Expected 403, or no such header.")
    return bool(text)


def _is_number(name: str, text: str) -> bool:
    return name == "hold_seconds" and text.isascii() and text.isdecimal() and len(text) <= 9


def _header(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()
