"""Whether traces are sent with OpenTelemetry. Unless its variables name a receiver, no tracing code is loaded.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/ has the variables. `config/tracing.py` has what is traced.
"""

import importlib
import os

from django.core.exceptions import ImproperlyConfigured

RECEIVER = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOL = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")  # the first that is set counts
ONLY_PROTOCOL = "http/protobuf"


def is_on() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in RECEIVER)


def start() -> None:
    """Call it in each process that is to be traced, before it forks. Raises ImproperlyConfigured."""
    if not is_on():
        return
    decides = next((name for name in PROTOCOL if os.environ.get(name)), None)
    if decides and os.environ[decides] != ONLY_PROTOCOL:
        raise ImproperlyConfigured(f"{decides} is {os.environ[decides]!r}: traces are sent by {ONLY_PROTOCOL} alone.")
    try:
        tracing = importlib.import_module("config.tracing")
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"Traces are to be sent, but {error.name} isn't installed: install the extra `telemetry`."
        ) from error
    tracing.start()
