"""The sandbox's state as rows, so every process sees it and a restart loses nothing."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import IntegrityError, transaction

from accounts.lib import identifiers
from billing.models import SandboxObject
from billing.payments.gateways.errors import UnexpectedState, UnknownObject
from billing.payments.gateways.objects import Subject

PREFIXES = {
    "customer": "cus", "card": "pm", "session": "cs", "setup": "seti", "intent": "pi", "refund": "re", "dispute": "du",
    "event": "evt", "charge": "ch",
}  # fmt: skip


def once(
    kind: str, key: str, request: dict[str, Any], make: Callable[[], dict[str, Any]], *, event: str = ""
) -> SandboxObject:
    """Make the object with its event, or return the one that this key made before.

    `UnexpectedState` if the key was used for another request.
    """
    made = SandboxObject.objects.filter(idempotency_key=key).first()
    if made is None:
        try:
            with transaction.atomic():
                row = add(kind, {"request": request, **make()}, key=key)
                if event:
                    tell(event, row)
                return row
        except IntegrityError:  # another call with this key was faster
            made = SandboxObject.objects.get(idempotency_key=key)
    if (made.kind, made.body["request"]) != (kind, request):
        raise UnexpectedState("The idempotency key was used for another request.")
    return made


def add(kind: str, body: dict[str, Any], *, key: str | None = None) -> SandboxObject:
    id = f"{PREFIXES[kind]}_sandbox_{identifiers.random_text(identifiers.BASE62, 24)}"
    return SandboxObject.objects.create(id=id, kind=kind, body=body, idempotency_key=key)


def get(kind: str, id: str) -> SandboxObject:
    return _existing(SandboxObject.objects.filter(kind=kind, id=id).first(), id)


def lock(kind: str, id: str) -> SandboxObject:
    """Until the end of the caller's transaction."""
    return _existing(SandboxObject.objects.select_for_update().filter(kind=kind, id=id).first(), id)


def _existing(row: SandboxObject | None, id: str) -> SandboxObject:
    if row is None:
        raise UnknownObject("resource_missing", f"No such object: {id}")
    return row


def change(row: SandboxObject, event: str, **changes: Any) -> None:
    """Write a locked object's new state, with its event."""
    row.body.update(changes)
    row.save(update_fields=["body"])
    tell(event, row)


def tell(event: str, row: SandboxObject) -> None:
    add("event", {"type": event, "subject": Subject(row.kind), "object_id": row.id})


def since(kind: str, moment: Any) -> Iterator[SandboxObject]:
    return SandboxObject.objects.filter(kind=kind, created_at__gte=moment).order_by("created_at", "id").iterator()
