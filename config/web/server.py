"""The process that starts the web server's workers, replaces those that end, and stops them."""

import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import structlog

from config.local.watchdog import end_with_parent

TICK_SECONDS = 0.5
RESPAWN_SECONDS = 0.5
STOPPING = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {*STOPPING, signal.SIGHUP, signal.SIGCHLD}

log = structlog.get_logger()


class Server:
    """Runs `work` with one of the listening sockets in each worker. A worker that was told to stop is killed after
    `stop_seconds`.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        work: Callable[[socket.socket], None],
        *,
        workers: int,
        stop_seconds: float,
    ) -> None:
        self.listeners, self.work, self.stop_seconds = listeners, work, stop_seconds
        self.places = range(workers)
        self.workers: dict[int, BaseProcess] = {}
        self.old: list[int] = []  # the places that a reload has yet to give to a new worker
        self.leaving: dict[BaseProcess, float] = {}  # the workers that were told to stop, and when each is killed

    def serve(self) -> None:
        """Returns when we were told to stop and all workers have ended."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.workers = {place: self._started(place) for place in self.places}
        while not (received := signal.sigtimedwait(SIGNALS, TICK_SECONDS)) or received.si_signo not in STOPPING:
            if received and received.si_signo == signal.SIGHUP:
                self.old = list(self.places)
            self._bury()
            self._reload_next()
            self._respawn()
        for place in self.places:
            self._stop(place)
        for listener in self.listeners:
            listener.close()
        while self.leaving:
            signal.sigtimedwait(SIGNALS, TICK_SECONDS)
            self._bury()

    def _started(self, place: int) -> BaseProcess:
        listener, with_us = self.listeners[place % len(self.listeners)], end_with_parent(signal.SIGTERM)
        process = multiprocessing.get_context("fork").Process(target=self._run, args=(listener, with_us))
        process.start()
        return process

    def _run(self, listener: socket.socket, with_parent: Callable[[], None]) -> None:
        """The worker."""
        with_parent()
        for ignored in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C in a terminal is meant for the process above
            signal.signal(ignored, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for other in self.listeners:  # a socket goes on listening as long as any process has it open
            if other is not listener:
                other.close()
        self.work(listener)

    def _stop(self, place: int) -> None:
        worker = self.workers.pop(place)
        worker.terminate()
        self.leaving[worker] = time.monotonic() + self.stop_seconds

    def _bury(self) -> None:
        for worker, until in list(self.leaving.items()):
            if not worker.is_alive():
                del self.leaving[worker]
            elif time.monotonic() > until:
                log.warning("web_worker_killed", pid=worker.pid, seconds=self.stop_seconds)
                worker.kill()

    def _reload_next(self) -> None:
        """One place after the other: the next when the old worker of this one has ended."""
        if self.old and not self.leaving:
            place = self.old.pop()
            self._stop(place)
            self.workers[place] = self._started(place)

    def _respawn(self) -> None:
        for place, worker in self.workers.items():
            if not worker.is_alive():
                log.error("web_worker_ended", pid=worker.pid, exit_code=worker.exitcode)
                time.sleep(RESPAWN_SECONDS)
                self.workers[place] = self._started(place)
