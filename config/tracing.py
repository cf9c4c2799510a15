"""Traces of requests, tasks and SQL statements, by OpenTelemetry. `config/telemetry.py` says when this is loaded.

A span has nothing that a caller sent but the method and the request's id: a route stands for the path, statements have
no values, and of an error the type is told and not the message.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from threading import Lock
from typing import Any

import psycopg
from celery import signals
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from accounts.lib import sql
from config import databases, task_origin
from config.metrics import METHODS, NO_ROUTE, OTHER_METHOD

STATEMENT_LENGTH = 2000
REQUEST_ID = "tollgate.request_id"
tracer = trace.get_tracer("tollgate")
traceparent = TraceContextTextMapPropagator()
_tasks: dict[str, AbstractContextManager[Span]] = {}  # the spans of tasks under way, by the task's id


class OwnBatches(SpanProcessor):
    """Sends the spans of this process, by a thread. Threads don't survive a fork: each process starts it anew."""

    def __init__(self) -> None:
        self.process, self.starting, self.batches = 0, Lock(), SpanProcessor()

    def on_end(self, span: ReadableSpan) -> None:
        if self.process != os.getpid():
            with self.starting:
                if self.process != os.getpid():
                    self.batches, self.process = BatchSpanProcessor(OTLPSpanExporter()), os.getpid()
        self.batches.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.batches.force_flush(timeout_millis)


def start() -> None:
    os.environ.setdefault("OTEL_SERVICE_NAME", "tollgate")
    provider = TracerProvider(resource=Resource.create({"tollgate.process": databases.process()}))
    provider.add_span_processor(OwnBatches())
    trace.set_tracer_provider(provider)
    sql.skips_cursors = False
    psycopg.Cursor.execute = _traced(psycopg.Cursor.execute)  # type: ignore[method-assign]
    psycopg.Cursor.executemany = _traced(psycopg.Cursor.executemany)  # type: ignore[method-assign]
    signals.before_task_publish.connect(publish)
    signals.task_prerun.connect(begin_task)
    signals.task_failure.connect(fail_task)
    signals.task_postrun.connect(end_task)
    signals.worker_process_shutdown.connect(lambda **_: provider.force_flush(), weak=False)


@contextmanager
def span(
    name: str, kind: SpanKind, attributes: Mapping[str, str], *, carrier: Any = None, began: float | None = None
) -> Iterator[Span]:
    """`carrier` may say by `traceparent` to which trace it belongs; `began` is in seconds of the epoch."""
    with tracer.start_as_current_span(
        name,
        None if carrier is None else traceparent.extract(carrier),
        kind,
        attributes,
        start_time=None if began is None else int(began * 1e9),
        record_exception=False,
        set_status_on_exception=False,
    ) as own:
        try:
            yield own
        except Exception as error:
            _fail(own, type(error).__qualname__)
            raise


def _fail(own: Span, kind: str) -> None:
    own.set_attribute("error.type", kind)
    own.set_status(Status(StatusCode.ERROR))


class Requests:
    """Middleware that makes a span of each request, from when it came in. It belongs to the caller's trace."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        method = request.method if request.method in METHODS else OTHER_METHOD
        attributes = {"http.request.method": method, REQUEST_ID: request.request_id}
        began = request.received_at.timestamp()
        with span(method, SpanKind.SERVER, attributes, carrier=request.headers, began=began) as own:
            response = self.get_response(request)
            route = request.resolver_match.route if request.resolver_match else NO_ROUTE
            own.update_name(f"{method} {route}")
            own.set_attributes({"http.route": route, "http.response.status_code": response.status_code})
            if response.status_code >= 500:
                _fail(own, str(response.status_code))
            return response


def publish(headers: dict[str, Any], **_: Any) -> None:
    """A task belongs to the trace of the request or task that starts it."""
    traceparent.inject(headers)


def begin_task(task_id: str, task: Any, **_: Any) -> None:
    attributes = {"messaging.system": "celery", "messaging.message.id": task_id}
    if request_id := task_origin.request_id(task):
        attributes[REQUEST_ID] = request_id
    _tasks[task_id] = span(task.name, SpanKind.CONSUMER, attributes, carrier=task.request.headers or {})
    _tasks[task_id].__enter__()


def fail_task(exception: BaseException, **_: Any) -> None:
    _fail(trace.get_current_span(), type(exception).__qualname__)


def end_task(task_id: str, **_: Any) -> None:
    _tasks.pop(task_id).__exit__(None, None, None)


def _traced(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Every cursor, Django's and ours, is one of psycopg's. Statements outside of a request or task are not traced."""

    @wraps(execute)
    def traced(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if not trace.get_current_span().is_recording():
            return execute(cursor, query, *arguments, **options)
        text = (query.decode() if isinstance(query, bytes) else str(query)).strip()
        attributes = {"db.system.name": "postgresql", "db.query.text": text[:STATEMENT_LENGTH]}
        with span(text.partition(" ")[0] or "SQL", SpanKind.CLIENT, attributes):
            return execute(cursor, query, *arguments, **options)

    return traced
