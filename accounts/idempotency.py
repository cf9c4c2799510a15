"""Idempotency keys: the same key and body gets the first answer again, and the effect happens once.

The record commits with the effect, so a killed request leaves neither. "Still running" is a transaction-level
advisory lock, which dies with its holder.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts.credentials import credential_of
from accounts.exceptions import IdempotencyKeyInUse, IdempotencyKeyInvalid, IdempotencyKeyReused
from accounts.lib.problems import InvalidField
from accounts.models import IdempotencyRecord

LIFETIME = timedelta(hours=24)
HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class _Use:
    """One use of a key: whose it is, and what it is for."""

    owner: Mapping[str, Any]
    fingerprint: bytes

    def lock(self) -> None:
        digest = hashlib.sha256(repr(sorted(self.owner.items(), key=str)).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
            if not cursor.fetchone()[0]:
                raise IdempotencyKeyInUse

    def record(self) -> IdempotencyRecord | None:
        """What an earlier use left; a record past its day is as good as none."""
        record = IdempotencyRecord.objects.filter(**self.owner).first()
        if record and record.created_at <= timezone.now() - LIFETIME:
            record.delete()
            return None
        if record and bytes(record.fingerprint) != self.fingerprint:
            raise IdempotencyKeyReused
        return record


def once(request: Request, effect: Callable[[], Response], *, secrets: tuple[str, ...] = ()) -> Any:
    """Answer with `effect()`, or with the first answer to the same key. The effect is one transaction."""
    use = _use(request)
    with transaction.atomic():
        if use is None:
            return effect()
        use.lock()
        if record := use.record():
            return _replay(record)
        response = effect()
        record = IdempotencyRecord(**use.owner, fingerprint=use.fingerprint)
        _answer(record, response, secrets)
        return response


def in_two_steps(request: Request, begin: Callable[[], str], finish: Callable[[str], Response]) -> Any:
    """For an effect that calls another system between two transactions.

    `begin` commits a row and returns its id; `finish` goes on from that id, as often as it is called, with one effect.
    A request that was killed in between is taken up at `finish` by its retry.
    """
    use = _use(request)
    if use is None:
        return finish(begin())
    with transaction.atomic():
        use.lock()
        record = use.record()
        if record and record.status is not None:
            return _replay(record)
        if record is None:
            record = IdempotencyRecord.objects.create(**use.owner, fingerprint=use.fingerprint, resource=begin())
    try:
        response = finish(record.resource)
    except InvalidField:  # the other system refused what was asked: a mended request may keep its key
        record.delete()
        raise
    _answer(record, response, ())
    return response


def _use(request: Request) -> _Use | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid
    owner = {"organization": credential_of(request).organization, "credential": credential_of(request).id, "key": key}
    body = json.dumps(request.data, sort_keys=True, default=str)
    said = "\n".join([request.method or "", request.get_full_path(), body])
    return _Use(owner, hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest())


def _answer(record: IdempotencyRecord, response: Response, secrets: tuple[str, ...]) -> None:
    kept = {**response.data, **dict.fromkeys(secrets)} if secrets else response.data
    record.status = response.status_code
    renderer: Any = api_settings.DEFAULT_RENDERER_CLASSES
    record.body = renderer[0]().render(kept).decode()
    record.save()


def _replay(record: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(record.body, status=record.status, content_type="application/json")
    response["Idempotent-Replayed"] = "true"
    return response


def purge() -> int:
    """Delete the records that are past their day."""
    return IdempotencyRecord.objects.filter(created_at__lte=timezone.now() - LIFETIME).delete()[0]
