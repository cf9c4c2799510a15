"""GET /metrics for Prometheus: this web server's counters, and the state of the installation.

The workers of a web server count in files of a folder that they share (`config.web` makes it), so that a scrape of any
of them has the sums of all. Scrape each machine's web server. The figures of the installation come from the database,
and are the same everywhere.
"""

import hmac
import time
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from usage.storage.gauges import InstallationCollector

PATH = "/metrics"
BEARER = "Bearer "
NO_ROUTE = "(none)"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER_METHOD = "(other)"  # callers make up as many as they like
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Counter("tollgate_http_requests", "Requests that were answered.", ["route", "method", "status"])
DURATION = Histogram("tollgate_http_request_seconds", "How long it took to answer.", ["route"], buckets=SECONDS)


class Metrics:
    """Middleware that counts requests by their route, and answers /metrics itself, under any Host as the probes do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == PATH and is_allowed(request):
            return HttpResponse(collected(), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
        began = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else NO_ROUTE
        count(request.method, route, response.status_code, time.perf_counter() - began)
        return response


def count(method: str | None, route: str, status: int, seconds: float) -> None:
    _duration(route).observe(seconds)
    _requests(route, method if method in METHODS else OTHER_METHOD, status).inc()


# Finding a child by its labels takes longer than counting in it.
@cache
def _duration(route: str) -> Histogram:
    return DURATION.labels(route)


@cache
def _requests(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, status)


def is_allowed(request: HttpRequest) -> bool:
    """In production only with METRICS_TOKEN; without one, there is no such page."""
    if not settings.METRICS_TOKEN:
        return not settings.PRODUCTION
    presented = request.headers.get("Authorization", "")
    return hmac.compare_digest(presented.encode(), f"{BEARER}{settings.METRICS_TOKEN}".encode())


def collected() -> bytes:
    registry = CollectorRegistry()
    registry.register(InstallationCollector())
    if settings.METRICS_FOLDER:
        MultiProcessCollector(registry, settings.METRICS_FOLDER)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY) + generate_latest(registry)
