"""The sockets at which the web server listens.

There is one for each worker, so that the kernel spreads connections evenly. The parent process holds them: what waits
at the socket of a worker that was killed is taken by its successor. Or systemd hands over a socket of its own, which
outlives the server, so that a restart loses nobody:
https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import os
import socket
from typing import Any

from django.conf import settings
from granian._granian import SocketHolder
from granian.server import MPServer
from granian.server.mp import WorkerProcess

FIRST_HANDED_OVER = 3  # the number of the open file, by systemd's convention


class Server(MPServer):
    """granian makes its sockets itself, and can't set their options."""

    def _init_shared_socket(self) -> None:
        self._sso = None
        self.sockets = sockets_handed_over() or [self._listening() for _ in range(self.workers)]
        for listener in self.sockets:
            configure(listener)
        os.register_at_fork(after_in_child=self._keep_own_socket)

    def _listening(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        is_any = self.bind_addr == "::"
        address = (self.bind_addr, self.bind_port)
        return socket.create_server(
            address, family=family, backlog=self.backlog, reuse_port=True, dualstack_ipv6=is_any
        )

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> WorkerProcess:  # type: ignore[override]
        self.spawning = self.sockets[idx % len(self.sockets)]
        self._shd: Any = SocketHolder(self.spawning.fileno(), False, self.backlog)  # type: ignore[call-arg]
        return super()._spawn_worker(idx, target, callback_loader)

    def _keep_own_socket(self) -> None:
        """A socket goes on listening as long as any process has it open. granian closes the worker's own."""
        self.spawning.detach()
        for listener in self.sockets:
            listener.close()

    def _drop_shared_socket(self) -> None:
        """Comes before the workers stop."""
        for listener in self.sockets:
            listener.close()


def sockets_handed_over() -> list[socket.socket]:
    """By systemd, to this very process; usually none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return [socket.socket(fileno=FIRST_HANDED_OVER + number) for number in range(int(os.environ["LISTEN_FDS"]))]


def configure(listener: socket.socket) -> None:
    """Connections inherit the options of the socket that accepted them.

    One whose answer the client doesn't read ends after SEND_TIMEOUT_SECONDS without progress. Meanwhile it costs memory
    but no thread.
    """
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * settings.SEND_TIMEOUT_SECONDS)
