"""Metering: usage events are parsed, looked up, rated, counted once, inserted and charged, a batch a transaction."""

from usage.metering.recording import Batch, Result, record

__all__ = ["Batch", "Result", "record"]
