"""The web server: `python -m config.web [--host 127.0.0.1] [--port 8000] [--workers 2]`, behind a proxy or alone.

It holds thousands of slow or idle connections. On SIGTERM it answers the requests under way, then ends. On SIGHUP it
replaces its workers one after the other, with the same code: for new code start another server.
"""

import argparse
import importlib
import os
import resource
import socket
import sys
import tempfile

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.web.arguments import port_number
from config.web.listening import listeners
from config.web.server import Server
from config.web.worker import MOST_CONNECTIONS, Worker

ANSWER_SECONDS = 8  # so long a worker that was told to stop goes on with the requests under way
STOP_SECONDS = 10


def main() -> int:
    options = arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with tempfile.TemporaryDirectory(prefix="tollgate-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # the workers count there
        return serve(options)


def serve(options: argparse.Namespace) -> int:
    try:
        django.setup()
        application = importlib.import_module("config.asgi").application  # the workers are forks, and share all this
        importlib.import_module("config.startup").check()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    raise_file_limit()
    try:
        sockets = listeners(options.host, options.port, options.workers)
    except OSError as error:
        sys.stderr.write(f"Port {options.port} of {options.host} can't be had: {error.strerror}.\n")
        return 1

    def work(listener: socket.socket) -> None:
        Worker(listener, application, idle_seconds=settings.KEEP_ALIVE_SECONDS, stop_seconds=ANSWER_SECONDS).run()

    Server(sockets, work, workers=options.workers, stop_seconds=STOP_SECONDS).serve()
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
    wanted = 2 * MOST_CONNECTIONS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
