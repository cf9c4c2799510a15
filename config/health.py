"""Liveness and readiness, for probes: under any Host and over plain http, before everything else in the middleware."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from redis import Redis

from config import outages, startup

log = structlog.get_logger()


class Probes:
    """Middleware that answers /healthz and /readyz. A probe asks by address, so ALLOWED_HOSTS doesn't apply to it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        if probe is None:
            return self.get_response(request)
        response = probe()
        response["Cache-Control"] = "no-store"
        return response


def healthz() -> HttpResponseBase:
    """Answers as long as the process runs. It doesn't check anything else."""
    return JsonResponse({"status": "ok"})


def readyz() -> HttpResponseBase:
    """200 if requests can be served, else 503. Then `reasons` says what is wrong, and so does the log."""
    states = {name: _state(check) for name, check in CHECKS.items()}
    document: dict[str, object] = {name: state for name, (state, _) in states.items()}
    reasons = list(dict.fromkeys(reason for _, reason in states.values() if reason))
    if not reasons:
        return JsonResponse({"status": "ok", **document})
    for reason in reasons:
        log.error("not ready", reason=reason)
    return JsonResponse(
        {"status": "unavailable", **document, "reasons": reasons}, status=503, headers={"Retry-After": "5"}
    )


def _state(check: Callable[[], str]) -> tuple[str, str]:
    """The state of a component and what is wrong with it. If nothing is: `("ok", "")`."""
    try:
        pending = check()
    except ImproperlyConfigured as error:
        return "missing", str(error)
    except InUse as error:
        return "unavailable", str(error)
    except Exception as error:
        if reason := outages.reason(error):
            return "unavailable", reason
        raise
    return ("pending", pending) if pending else ("ok", "")


class InUse(Exception):
    """Requests fail for a reason that the probe itself doesn't meet, such as a full disk."""


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if reason := outages.remembered():
        raise InUse(reason)
    return ""


def _redis() -> str:
    with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
        client.ping()
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(pending)} migrations are not applied. Run: python manage.py migrate" if pending else ""


def _static_files() -> str:
    startup.check_static_files()
    return ""


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "migrations": _migrations,
    "static_files": _static_files,
}
PROBES: dict[str, Callable[[], HttpResponseBase]] = {"/healthz": healthz, "/readyz": readyz}
