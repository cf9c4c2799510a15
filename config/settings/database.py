"""PostgreSQL (with its owner's role and a read replica, where there are such) and Redis."""

from typing import Any

from config import databases
from config.settings.environment import (
    DATABASE_OWNER_URL,
    DATABASE_REPLICA_URL,
    DATABASE_URL,
    PREPARE,
    REDIS_URL,
    STATEMENT_SECONDS,
)

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, Any] = {
    "default": databases.connection(
        DATABASE_URL, prepare=PREPARE, statement_seconds=STATEMENT_SECONDS.get(databases.process(), 0)
    )
}
if DATABASE_OWNER_URL:  # it changes tables alone, which may have to wait for others
    owner = databases.connection(DATABASE_OWNER_URL, prepare=PREPARE, statement_seconds=0)
    DATABASES["owner"] = {**owner, "TEST": {"MIRROR": "default"}}
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = databases.connection(
        DATABASE_REPLICA_URL,
        prepare=PREPARE,
        statement_seconds=STATEMENT_SECONDS.get(databases.process(), 0),
        libpq=databases.REPLICA_LIMITS,
    )
    DATABASE_ROUTERS = ["accounts.lib.replica.Router"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}
