"""Logs go to standard error: a line of JSON each in production, plain text elsewhere. Every line has the request's id.

No line contains a secret. Bodies and headers are never logged, tracebacks have no local variables, and anything that
looks like a secret is removed from every finished line, wherever it came from.
"""

import logging
from typing import Any

import structlog

from config.redaction import redact

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def configure(*, production: bool) -> dict[str, Any]:
    """Points structlog at the standard library's logging, and returns Django's LOGGING."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Any] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if production
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = {
        "()": RedactingFormatter,
        "foreign_pre_chain": _SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # Django warns of every 4xx, which is the caller's affair.
            "django.request": {"level": "ERROR", "propagate": True},
            "django.security": {"level": "ERROR", "propagate": True},
            # Django logs this as an error, although anyone can cause it by sending a wrong Host.
            "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
        },
    }
