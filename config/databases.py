"""How Tollgate connects to PostgreSQL."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import environ

WEB_SERVERS = {"gunicorn", "granian", "uvicorn"}
# If the other side disappears silently, for example after a failover, the kernel notices within 20 seconds.
# Connections over Unix sockets have no use for these.
TCP_LIMITS = {"tcp_user_timeout": 5000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
# We give up on a replica soon enough for the primary to answer the same request.
REPLICA_LIMITS = {"connect_timeout": 2, "tcp_user_timeout": 2000}

# A process that hangs in a transaction keeps customers' rows locked, so PostgreSQL ends its session.
IDLE_IN_TRANSACTION_SECONDS = 60


def process() -> str:
    """Which of Tollgate's processes this is, told by its command line: `web`, `worker`, `beat` or `command`."""
    program, arguments = Path(sys.argv[0]), sys.argv[1:]
    names = {program.name, program.parent.name}
    if "celery" in names:
        return next((name for name in ("worker", "beat") if name in arguments), "command")
    is_web = program.parts[-3:-1] == ("config", "web") or WEB_SERVERS & names
    return "web" if is_web else "command"


def connection(
    url: str, *, prepare: bool, statement_seconds: int, libpq: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Django's settings of the connection. `statement_seconds` is the longest that a statement may take.

    0 is no limit, also for a transaction in which nothing happens. PostgreSQL shows the process as `application_name`.
    `libpq` has limits of its connections that replace the usual ones.
    """
    settings: dict[str, Any] = {
        **environ.Env.db_url_config(url),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        # Server-side cursors outlive a statement, which PgBouncer in transaction mode doesn't allow.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
    options = settings.setdefault("OPTIONS", {})
    for name, limit in {"connect_timeout": 5, **TCP_LIMITS, **(libpq or {})}.items():
        options.setdefault(name, limit)
    options.setdefault("application_name", f"tollgate {process()}")
    # Statements of the hot paths are planned once a connection, unless a pooler can't follow that.
    options.setdefault("prepare_threshold", 5 if prepare else None)
    if statement_seconds:
        limits = {
            "statement_timeout": statement_seconds,
            "idle_in_transaction_session_timeout": min(statement_seconds, IDLE_IN_TRANSACTION_SECONDS),
        }
        flags = [f"-c {name}={seconds}s" for name, seconds in limits.items()]
        options["options"] = " ".join([options.get("options", ""), *flags]).strip()
    for part in {"host", "port"} & set(options):  # where dbshell looks for them
        settings[part.upper()] = options.pop(part)
    return settings
