"""What the stand-in remembers, and its book of money that really moved."""

import copy
import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.stripe.errors import invalid, missing

API_VERSION = "2026-10-28.endive"
KEYS_LAST = 24 * 3600
Object = dict[str, Any]

_PREFIXES = {
    "customer": "cus", "payment_method": "pm", "checkout.session": "cs_test", "setup_intent": "seti",
    "payment_intent": "pi", "charge": "ch", "refund": "re", "dispute": "du", "event": "evt",
    "radar.early_fraud_warning": "issfr",
}  # fmt: skip


@dataclass
class Answer:
    """The stored answer of an idempotency key; None while its request still runs."""

    request: str
    at: float
    status: int | None = None
    body: bytes = b""


@dataclass
class State:
    address: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    objects: dict[str, Object] = field(default_factory=dict)
    hidden: dict[str, Object] = field(default_factory=dict)  # what an object's JSON doesn't show
    answers: dict[str, Answer] = field(default_factory=dict)
    book: list[Object] = field(default_factory=list)
    calls: list[Object] = field(default_factory=list)
    ahead: float = 0  # seconds by which its clock was moved forward
    silent: bool = False  # events are never made
    page_size: int = 100
    on_event: Callable[[Object], None] = lambda event: None

    def now(self) -> int:
        return int(time.time() + self.ahead)

    def add(self, kind: str, hidden: Object | None = None, **fields: Any) -> Object:
        alphabet = string.ascii_letters + string.digits
        id = f"{_PREFIXES[kind]}_{''.join(secrets.choice(alphabet) for _ in range(24))}"
        self.objects[id] = {"id": id, "object": kind, "created": self.now(), "livemode": False, **fields}
        self.hidden[id] = hidden or {}
        return self.objects[id]

    def get(self, kind: str, id: str, param: str = "id") -> Object:
        row = self.objects.get(id)
        if row is None or row["object"] != kind:
            raise missing(kind, id, param, status=404 if param == "id" else 400)
        return row

    def all(self, kind: str) -> list[Object]:
        """Newest first."""
        return [row for row in reversed(self.objects.values()) if row["object"] == kind]

    def tell(self, type: str, row: Object) -> None:
        if self.silent:
            return
        data = {"object": copy.deepcopy(row)}
        event = self.add("event", type=type, data=data, api_version=API_VERSION, pending_webhooks=1, request=None)
        self.on_event(event)

    def move(self, kind: str, intent: Object, minor: int) -> None:
        """Note in the book that money moved.

        `received`, `refunded`, `withdrawn`, `reinstated`, or `returned`, which is a refund that failed.
        """
        entry = {"kind": kind, "minor": minor, "currency": intent["currency"], "intent": intent["id"]}
        self.book.append({**entry, "customer": intent["customer"], "metadata": intent["metadata"], "at": self.now()})


def expand(state: State, row: Any, paths: list[str]) -> Any:
    """A copy of the object with the named references replaced by what they refer to."""
    shown = copy.deepcopy(row)
    for path in paths:
        _expand(state, shown, path.split("."), path)
    return shown


def _expand(state: State, node: Any, parts: list[str], path: str) -> None:
    if isinstance(node, list):
        for each in node:
            _expand(state, each, parts, path)
        return
    if node is None or not parts:
        return
    if parts[0] not in node:
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = node[parts[0]]
    if isinstance(value, str):
        node[parts[0]] = copy.deepcopy(state.objects[value])
    _expand(state, node[parts[0]], parts[1:], path)
