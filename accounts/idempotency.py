"""Idempotency keys: the same key and body gets the first answer again, and the effect happens once.

The record commits with the effect, so a request that is killed leaves neither. "Still running" is an advisory lock of
the transaction, which ends when its holder dies.
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
from accounts.models.idempotency import OPERATOR

LIFETIME = timedelta(hours=24)
HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class _Use:
    """One use of a key. `name` has the fields of the record's primary key; the fingerprint is of the request."""

    name: Mapping[str, Any]
    fingerprint: bytes

    def lock(self) -> None:
        digest = hashlib.sha256(repr(sorted(self.name.items(), key=str)).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)])
            if not cursor.fetchone()[0]:
                raise IdempotencyKeyInUse

    def record(self) -> IdempotencyRecord | None:
        """The record of an earlier use. A record older than a day is deleted and doesn't count."""
        record = IdempotencyRecord.objects.filter(**self.name).first()
        if record and record.created_at <= timezone.now() - LIFETIME:
            record.delete()
            return None
        if record and bytes(record.fingerprint) != self.fingerprint:
            raise IdempotencyKeyReused
        return record

    def create(self, **fields: Any) -> IdempotencyRecord:
        return IdempotencyRecord.objects.create(**self.name, fingerprint=self.fingerprint, **fields)


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
        use.create(**_answer(response, secrets))
        return response


def in_two_steps(request: Request, begin: Callable[[], str], finish: Callable[[str], Response]) -> Any:
    """Like `once`, for an effect that calls another system between two transactions.

    `begin` commits a row and returns its id. `finish` continues from that id, and has its effect once however often it
    is called. If a request is killed in between, its retry continues at `finish`.
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
            record = use.create(resource=begin())
    try:
        response = finish(record.resource)
    except InvalidField:  # the other system refused a field: the corrected request may use the same key
        record.delete()
        raise
    IdempotencyRecord.objects.filter(pk=record.pk).update(**_answer(response, ()))
    return response


def _use(request: Request) -> _Use | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid
    organization = credential_of(request).organization
    name = {
        "account_id": organization.root_id if organization else OPERATOR,
        "organization_id": organization.pk if organization else OPERATOR,
        "credential": credential_of(request).id,
        "key": key,
    }
    body = json.dumps(request.data, sort_keys=True, default=str)
    text = "\n".join([request.method or "", request.get_full_path(), body])
    return _Use(name, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def _answer(response: Response, secrets: tuple[str, ...]) -> dict[str, Any]:
    """What a record keeps of an answer: the members that are `secrets` become null."""
    body = {**response.data, **dict.fromkeys(secrets)} if secrets else response.data
    renderer: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return {"status": response.status_code, "body": renderer[0]().render(body).decode()}


def _replay(record: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(record.body, status=record.status, content_type="application/json")
    response["Idempotent-Replayed"] = "true"
    return response


def purge() -> int:
    """Delete the records that are older than a day."""
    return IdempotencyRecord.objects.filter(created_at__lte=timezone.now() - LIFETIME).delete()[0]
