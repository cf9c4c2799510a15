"""The web server: `python -m config.web [--host 127.0.0.1] [--port 8000] [--workers 2]`, behind a proxy or alone.

It is granian, set up to hold thousands of slow or idle connections. On SIGTERM it answers the requests under way, then
ends. On SIGHUP it replaces its workers one after the other, with the same code: for new code start another server.
"""

import argparse
import importlib
import os
import resource
import sys
import tempfile

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from config.web.arguments import port_number
from config.web.listening import Server

CONNECTIONS = 4096  # at most, for each worker
STOP_SECONDS = 10
RESPAWN_SECONDS = 0.5


def main() -> int:
    options = arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with tempfile.TemporaryDirectory(prefix="tollgate-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # the workers count there
        return serve(options)


def serve(options: argparse.Namespace) -> int:
    try:
        django.setup()
        importlib.import_module("config.asgi")  # the workers are forks, and share what is loaded here
        importlib.import_module("config.startup").check()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    raise_file_limit()
    try:
        server(options.host, options.port, options.workers).serve()
    except OSError as error:
        sys.stderr.write(f"Port {options.port} of {options.host} can't be had: {error.strerror}.\n")
        return 1
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.web", description="Serve Tollgate.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=port_number, default=8000, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes; default: %(default)s")
    return parser.parse_args()


def raise_file_limit() -> None:
    """Every connection is an open file, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def server(host: str, port: int, workers: int) -> Server:
    return Server(
        "config.asgi:application",
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=1000 * settings.KEEP_ALIVE_SECONDS),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
