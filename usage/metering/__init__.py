"""Metering: usage events are parsed, looked up, rated, counted once, charged and inserted, a batch a transaction."""

from usage.metering.recording import BatchResult, Result, record

__all__ = ["BatchResult", "Result", "record"]
