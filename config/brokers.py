"""How Celery connects to its broker: Redis, or RabbitMQ."""

from typing import Any

# A request doesn't wait for a broker that is down: tasks are only nudges, and a sweep does their work.
TRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}


def of_redis(url: str) -> str:
    """The URL in Celery's notation: `unix:///path?db=0` of redis-py is `redis+socket:///path?virtual_host=0`."""
    return url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


def transport_options(url: str, *, seconds: int) -> dict[str, Any]:
    """`seconds` is how long a broker may take to answer a call."""
    if url.startswith(("amqp://", "amqps://", "pyamqp://")):
        return {**TRIES, "read_timeout": seconds, "write_timeout": seconds}
    return {**TRIES, "socket_connect_timeout": 2, "socket_timeout": seconds, "global_keyprefix": "celery:"}
