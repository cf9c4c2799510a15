"""Connections to PostgreSQL that the event loop itself uses, without a thread, for the gate's one statement.

A switch to a thread and back takes longer than the statement. Statements that only read share a connection: each is
sent without waiting for the answer to the one before (libpq's pipeline mode), and those that are asked for in the same
turn of the event loop go out together, as one transaction. One busy process of PostgreSQL does the work of several that
wake up in turns, and in less time, since its caches stay warm. A statement that may wait for a row's lock has a
connection for itself, since it would hold up those behind it. Who finds no connection free is answered by a thread, and
so is who was in one transaction with a statement that failed.
"""

import asyncio
import select
from collections import deque
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from accounts.lib import distribution, sql

SHARED_BY = 8  # so many statements at most are under way on one connection
PAUSE_SECONDS = 1  # after a connection couldn't be opened
TICK_SECONDS = 0.1  # we look so often for statements whose time is up: a timer for each would cost more
LOST = "The connection ended."
STUCK = "The server takes no statement."

Rows = list[tuple[Any, ...]]
Results = asyncio.Future[list[PGresult]]


class Waiting(NamedTuple):
    """A statement that was sent, with its number of commands, and until when it may take."""

    results: Results
    commands: int
    until: float


class Line:
    """One connection. `waiting`: what is under way, in the order in which it was sent.

    Once a statement has failed or took too long, the connection takes no other, and ends after those under way.
    """

    def __init__(self, lines: "Lines", database: BaseDatabaseWrapper) -> None:
        self.lines, self.database, self.loop = lines, database, asyncio.get_running_loop()
        self.opened = database.connection
        self.server: PGconn = self.opened.pgconn
        self.server.enter_pipeline_mode()
        self.adapter = Transformer(self.opened)
        self.names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}  # of statements that are prepared, with their types
        self.waiting: deque[Waiting] = deque()
        self.came: list[PGresult | None] = []  # since the last transaction ended; None ends the result of a command
        self.is_shared = self.is_sending = self.is_spent = self.is_closed = False
        self.file = self.server.socket
        self.news = select.poll()
        self.news.register(self.file, select.POLLIN)
        self.loop.add_reader(self.file, self._read)

    def is_ended(self) -> bool:
        """Whether something came between statements. Nearly always that is the end of the connection."""
        return not self.waiting and bool(self.news.poll(0))

    def takes(self, *, shared: bool) -> bool:
        """Whether it can run one more statement now."""
        return not self.is_spent and len(self.waiting) < (SHARED_BY if shared and self.is_shared else 1)

    async def run(self, statement: str, parameters: sql.Parameters, until: float, *, shared: bool) -> Rows | None:
        """The rows of the statement. `TimeoutError` if they aren't there soon after that time of the event loop.

        The statement goes on then, as it does if the request is canceled. None if it was undone since another one of
        its transaction failed.
        """
        with self.database.wrap_database_errors:
            commands = self._queue(*sql.bound(statement, parameters))
            self.is_shared = shared
            results: Results = self.loop.create_future()
            self.waiting.append(Waiting(results, commands, until))
            self.lines.watch()
            try:
                first, *more = await results
                if first.status == ExecStatus.PIPELINE_ABORTED:
                    return None
                return [sql.rows_of(result, self.adapter, self.opened) for result in (first, *more)][-1]
            except errors.InvalidSqlStatementName:  # it was to be prepared in such a transaction
                self.spend()
                return None
            except errors.Error:
                self.spend()
                raise

    def _queue(self, text: bytes, values: list[Any]) -> int:
        """Has the statement sent at the end of this turn of the event loop. Returns the number of its commands."""
        try:
            dumped = self.adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
            types = self.adapter.types or ()
            commands, name = 1, self.names.get((text, types))
            if name is None:
                commands, name = 2, f"line_{len(self.names)}".encode()
                self.names[text, types] = name
                self.server.send_prepare(name, text, types)
            self.server.send_query_prepared(name, dumped, self.adapter.formats)
        except Exception:
            self.close()
            raise
        if not self.is_sending:
            self.is_sending = True
            self.loop.call_soon(self._send)
        return commands

    def _send(self) -> None:
        self.is_sending = False
        if self.is_closed:
            return
        try:
            self.server.pipeline_sync()
            if self.server.flush():  # a few statements fit into the socket's buffer
                raise errors.OperationalError(STUCK)
        except errors.Error as error:
            self.close(str(error))

    def _read(self) -> None:
        if not self.waiting:
            self.close()
            return
        try:
            self.server.consume_input()
            while self.waiting and not self.server.is_busy():  # asked each time, or libpq would wait for more to come
                self._take(self.server.get_result())
        except errors.Error as error:
            self.close(str(error))
        if self.is_spent:
            self.spend()

    def _take(self, result: PGresult | None) -> None:
        if result and result.status == ExecStatus.PIPELINE_SYNC:  # the end of a transaction
            results, self.came = [result for result in self.came if result], []  # there is one for each command
            while results:
                waiting = self.waiting.popleft()
                own, results = results[: waiting.commands], results[waiting.commands :]
                if not waiting.results.done():
                    waiting.results.set_result(own)
        elif result is None and self.came[-1:] == [None]:  # libpq has nothing more to say
            raise errors.OperationalError(LOST)
        else:
            self.came.append(result)

    def give_up(self, now: float) -> None:
        """Those whose time is up wait no longer."""
        for waiting in self.waiting:
            if waiting.until > now:
                return
            self.is_spent = True
            if not waiting.results.done():
                waiting.results.set_exception(TimeoutError())

    def spend(self) -> None:
        """It ends as soon as nothing is under way."""
        self.is_spent = True
        if not self.waiting:
            self.close()

    def close(self, reason: str = LOST) -> None:
        """Its place among the lines is free for another."""
        if self.is_closed:  # psycopg's own `closed` is also true of one that broke
            return
        self.is_closed = self.is_spent = True
        self.loop.remove_reader(self.file)
        self.opened.close()
        self.lines.forget(self)
        for waiting in self.waiting:
            if not waiting.results.done():
                waiting.results.set_exception(errors.OperationalError(reason))
        self.waiting.clear()


class Lines:
    """At most so many connections of this process. They are opened by threads, when they are first needed."""

    def __init__(self, most: int) -> None:
        self.most, self.number, self.opens_at = most, 0, 0.0
        self.open: list[Line] = []
        self.is_watching = False

    def are_open(self) -> bool:
        """Whether there is any connection."""
        if not self.open:
            self._open()
        return bool(self.open)

    def free(self, *, shared: bool) -> Line | None:
        """One that takes a statement now. None if there is none."""
        for line in self.open.copy():
            if line.is_ended():
                line.close()
            elif line.takes(shared=shared):
                return line
        self._open()
        return None

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        if self.number < self.most and loop.time() >= self.opens_at:
            self.number += 1
            loop.run_in_executor(None, _connected).add_done_callback(self._add)

    def forget(self, line: Line) -> None:
        self.number -= 1
        self.open.remove(line)

    def watch(self) -> None:
        """Looks for statements whose time is up, as long as any is under way."""
        if not self.is_watching:
            self.is_watching = True
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self.is_watching = False
        now = asyncio.get_running_loop().time()
        for line in self.open:
            line.give_up(now)
        if any(line.waiting for line in self.open):
            self.watch()

    def _add(self, opening: "asyncio.Future[BaseDatabaseWrapper]") -> None:
        try:
            self.open.append(Line(self, opening.result()))
        except Exception as error:
            self.number -= 1
            self.opens_at = asyncio.get_running_loop().time() + PAUSE_SECONDS
            if not isinstance(error, DatabaseError):  # the threads run into those too, and say so
                raise


def _connected() -> BaseDatabaseWrapper:
    """A connection as Django opens it, for another thread to use. Runs in a thread of the event loop's executor.

    What the gate has to know of the database is asked here for the process, so that the event loop needn't.
    """
    try:
        distribution.is_distributed()
    finally:
        connections[DEFAULT_DB_ALIAS].close()
    database = connections.create_connection(DEFAULT_DB_ALIAS)
    database.inc_thread_sharing()
    database.ensure_connection()
    return database
