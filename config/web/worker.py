"""One process of the web server: it takes connections from a socket until it is told to stop."""

import asyncio
import errno
import signal
import socket

import structlog

from config.web.connection import Connection
from config.web.exchange import Application

MOST_CONNECTIONS = 4096  # more of them wait at the socket
ACCEPTED_AT_ONCE = 100
TICK_SECONDS = 0.5
PAUSE_SECONDS = 1  # after no more files could be opened
LAST_SECONDS = 0.2  # so long a connection may begin one more request after we were told to stop
NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = structlog.get_logger()


class Worker:
    """`idle_seconds`: how long a connection may wait for the whole head of a request. `stop_seconds`: how long the
    last answers may take.
    """

    def __init__(
        self, listener: socket.socket, application: Application, *, idle_seconds: float, stop_seconds: float
    ) -> None:
        self.listener, self.application = listener, application
        self.idle_seconds, self.stop_seconds = idle_seconds, stop_seconds
        self.loop = asyncio.new_event_loop()
        self.connections: set[Connection] = set()
        self.is_listening = self.is_stopping = False

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.add_signal_handler(signal.SIGTERM, self.stop)
        self.loop.call_soon(self._tick)
        self._listen()
        self.loop.run_forever()

    def stop(self) -> None:
        """Answers the requests under way, and those that wait at the socket."""
        if self.is_stopping:
            return
        self._accept()
        self._pause()
        self.is_stopping = True
        self.listener.close()
        self.loop.call_later(LAST_SECONDS, self._leave)
        self.loop.call_later(self.stop_seconds, self.loop.stop)

    def _leave(self) -> None:
        """Again and again, since a long answer may have begun before its client could be told that it is the last."""
        self._close(waiting_since=self.loop.time())
        if not self.connections:
            self.loop.stop()
        self.loop.call_later(LAST_SECONDS, self._leave)

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.is_stopping:
            self._listen()
        elif not self.connections:
            self.loop.stop()

    def _listen(self) -> None:
        if not self.is_listening and len(self.connections) < MOST_CONNECTIONS:
            self.is_listening = True
            self.loop.add_reader(self.listener, self._accept)

    def _pause(self) -> None:
        self.is_listening = False
        self.loop.remove_reader(self.listener)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if len(self.connections) >= MOST_CONNECTIONS:
                self._pause()
                return
            try:
                client, _ = self.listener.accept()
            except OSError as error:  # nobody waits any more, or has left already
                if error.errno in NO_ROOM:
                    log.error("no_room_for_connections", reason=error.strerror)
                    self._pause()
                    self.loop.call_later(PAUSE_SECONDS, self._resume)
                return
            self._connect(client)

    def _resume(self) -> None:
        if not self.is_stopping:
            self._listen()

    def _connect(self, client: socket.socket) -> None:
        client.setblocking(False)
        connection = Connection(self)
        self.connections.add(connection)
        connection.opening = self.loop.create_task(self.loop.connect_accepted_socket(lambda: connection, client))

    def _tick(self) -> None:
        self._close(waiting_since=self.loop.time() - self.idle_seconds)
        self.loop.call_later(TICK_SECONDS, self._tick)

    def _close(self, *, waiting_since: float) -> None:
        for connection in self.connections.copy():
            if connection.is_waiting(waiting_since):
                connection.transport.close()
