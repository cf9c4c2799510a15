"""Requests in the shape of a web server's log: few endpoints get most of them, nights are quiet, weekends quieter."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from apikeys.models import ApiKey

REQUESTS_A_DAY = 80
# How often each endpoint is called, with the meter that counts it.
ENDPOINTS = {
    "/v1/messages": ("sms", 26),
    "/v1/messages/{id}": ("requests", 21),
    "/v1/search": ("requests", 17),
    "/v1/embeddings": ("requests", 11),
    "/v1/files": ("requests", 8),
    "/v1/calls": ("voice", 5),
    "/v1/images": ("requests", 4),
    "/v1/translations": ("requests", 3),
    "/v1/moderations": ("requests", 2),
    "/v1/models": ("requests", 2),
    "/v1/health": ("requests", 1),
}
KEYS = {
    "Production": 34,
    "Web frontend": 22,
    "iOS app": 14,
    "Android app": 11,
    "Notebooks": 9,
    "Search box": 5,
    "Backups": 3,
    "Staging": 2,
}
STATUSES = {200: 912, 304: 44, 404: 21, 301: 16, 500: 5, 429: 2}
BY_HOUR = (2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 11, 9, 10, 11, 11, 10, 8, 7, 6, 5, 4, 3, 2)
WEEKEND = 0.45
GROWTH = 1.6  # of the last day over the first


def of_day(
    start: datetime, end: datetime, age: float, keys: dict[str, ApiKey], chance: random.Random
) -> Iterator[dict[str, Any]]:
    """The events of [start, end), at most a day. `age` goes from 0 on the first day to 1 on the last."""
    weekday = WEEKEND if start.weekday() >= 5 else 1
    busy = REQUESTS_A_DAY * weekday * (1 + (GROWTH - 1) * age) * chance.uniform(0.85, 1.15)
    for number in range(round(busy)):
        hour = chance.choices(range(24), BY_HOUR)[0]
        moment = start + timedelta(hours=hour, seconds=chance.uniform(0, 3600))
        if moment < end:
            yield _event(f"demo-{start:%m%d}-{number}", moment, keys, chance)


def _event(id: str, moment: datetime, keys: dict[str, ApiKey], chance: random.Random) -> dict[str, Any]:
    endpoint = _one_of({name: weight for name, (_, weight) in ENDPOINTS.items()}, chance)
    meter, _ = ENDPOINTS[endpoint]
    return {
        "id": id,
        "key_id": keys[_one_of(KEYS, chance)].public_id,
        "meter": meter,
        "endpoint": endpoint,
        "quantity": {"voice": chance.randint(1, 12), "sms": chance.randint(1, 4)}.get(meter, chance.randint(1, 40)),
        "status": _one_of(STATUSES, chance),
        "occurred_at": moment.isoformat(),
    }


def _one_of(weights: dict[Any, int], chance: random.Random) -> Any:
    return chance.choices(list(weights), list(weights.values()))[0]
