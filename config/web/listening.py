"""The sockets at which the web server listens.

There is one for each worker, so that the kernel spreads connections evenly. The parent process holds them: what waits
at the socket of a worker that was killed is taken by its successor. Or systemd hands over a socket of its own, which
outlives the server, so that a restart loses nobody:
https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import os
import socket

from django.conf import settings

FIRST_HANDED_OVER = 3  # the number of the open file, by systemd's convention
BACKLOG = 4096


def listeners(host: str, port: int, number: int) -> list[socket.socket]:
    """Raises OSError if the port can't be had."""
    sockets = _handed_over() or [_listening(host, port) for _ in range(number)]
    for listener in sockets:
        _configure(listener)
    return sockets


def _handed_over() -> list[socket.socket]:
    """By systemd, to this very process; usually none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return [socket.socket(fileno=FIRST_HANDED_OVER + number) for number in range(int(os.environ["LISTEN_FDS"]))]


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server(
        (host, port), family=family, backlog=BACKLOG, reuse_port=True, dualstack_ipv6=host == "::"
    )


def _configure(listener: socket.socket) -> None:
    """Connections inherit the options of the socket that accepted them. None waits to fill a packet.

    One whose answer the client doesn't read ends after SEND_TIMEOUT_SECONDS without progress. Meanwhile it costs memory
    but no thread.
    """
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * settings.SEND_TIMEOUT_SECONDS)
