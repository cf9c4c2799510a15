"""Run the provider. It prints its address once it listens, and ends when standard input is closed."""

import os
import sys
from threading import Thread

from tests.openid.server import Server


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


server = Server()
Thread(target=_end_with_parent, daemon=True).start()
print(server.address, flush=True)  # noqa: T201
server.serve_forever()
