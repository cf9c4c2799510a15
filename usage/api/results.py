"""The results of a batch, as JSON. Writing a thousand results as text takes a tenth of the time of an encoder."""

from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

import simplejson

from accounts.lib.money import plain
from usage.metering import BatchResult, Result


def body_of(batch: BatchResult) -> dict[str, Any]:
    """The body of the response. `results` is JSON already, one object an event."""
    written: dict[Decimal, str] = {}
    results = [_json(result, written) for result in batch.results]
    counts = {outcome: batch.count(outcome) for outcome in ("accepted", "duplicate", "rejected")}
    return {**counts, "credits": batch.credits, "results": simplejson.RawJSON(f"[{', '.join(results)}]")}


def _json(result: Result, written: dict[Decimal, str]) -> str:
    """`written` remembers amounts: the events of a batch cost the same few."""
    credits = written.get(result.credits)
    if credits is None:
        credits = written[result.credits] = plain(result.credits)
    id = "null" if result.id is None else encode_basestring(result.id)
    rejection = f', "code": "{result.code}", "detail": {encode_basestring(result.detail)}' if result.rejection else ""
    return f'{{"id": {id}, "result": "{result.result}", "credits": {credits}{rejection}}}'
