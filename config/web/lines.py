"""Connections to PostgreSQL that the event loop itself uses, without a thread, for the gate's one statement.

A switch to a thread and back takes longer than the statement. Each connection runs one statement at a time, because it
may wait for a row's lock. Who finds none free is answered by a thread.
"""

import asyncio
import select
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGconn, PGresult

from accounts.lib import distribution, sql

PAUSE_SECONDS = 1  # after a connection couldn't be opened
LOST = "The connection ended."
STUCK = "The server takes no statement."

Rows = list[tuple[Any, ...]]


class Line:
    """One connection. While it runs a statement, it is not among those that `Lines.free` gives."""

    def __init__(self, lines: "Lines", database: BaseDatabaseWrapper) -> None:
        self.lines, self.database, self.loop = lines, database, asyncio.get_running_loop()
        self.opened = database.connection
        self.server: PGconn = self.opened.pgconn
        self.adapter = Transformer(self.opened)
        self.names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}  # of statements that are prepared, with their types
        self.result: asyncio.Future[PGresult] | None = None  # while one is under way
        self.parts: list[PGresult] = []  # what came of it so far
        self.file, self.is_closed = self.server.socket, False
        self.news = select.poll()
        self.news.register(self.file, select.POLLIN)
        self.loop.add_reader(self.file, self._read)

    def is_ended(self) -> bool:
        """Whether something came between statements. Nearly always that is the end of the connection."""
        return bool(self.news.poll(0))

    async def run(self, statement: str, parameters: sql.Parameters, until: float) -> Rows:
        """The rows of the statement. `TimeoutError` if they aren't there at that time of the event loop.

        The statement goes on then, and the connection ends with it, as it does if the request is canceled. After an
        error the connection ends at once.
        """
        self.lines.idle.remove(self)
        text, values = sql.bound(statement, parameters)
        with self.database.wrap_database_errors:
            try:
                dumped: Sequence[Any] = self.adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
                types, formats = self.adapter.types or (), self.adapter.formats
                name = self.names.get((text, types)) or await self._prepare(text, types, until)
                self.server.send_query_prepared(name, dumped, formats)
                rows = sql.rows_of(await self._result(until), self.adapter, self.opened)
            except TimeoutError:
                raise
            except Exception:
                self.close()
                raise
        self.lines.idle.append(self)
        return rows

    async def _prepare(self, text: bytes, types: tuple[int, ...], until: float) -> bytes:
        name = f"line_{len(self.names)}".encode()
        self.server.send_prepare(name, text, types)
        sql.rows_of(await self._result(until), self.adapter, self.opened)
        self.names[text, types] = name
        return name

    async def _result(self, until: float) -> PGresult:
        if self.server.flush():  # a statement fits into the socket's buffer, which is empty
            raise errors.OperationalError(STUCK)
        self.parts, self.result = [], self.loop.create_future()
        timer = self.loop.call_at(until, self._give_up, self.result)
        try:
            return await self.result
        finally:
            timer.cancel()

    def _give_up(self, result: "asyncio.Future[PGresult]") -> None:
        if not result.done():
            result.set_exception(TimeoutError())

    def _read(self) -> None:
        if self.result is None:
            self.close()
            return
        try:
            self.server.consume_input()
            while not self.server.is_busy():  # asked each time, or libpq would wait for what has not come yet
                part = self.server.get_result()
                if part is None:
                    self._settle()
                    return
                self.parts.append(part)
        except errors.Error as error:
            self._fail(error)

    def _settle(self) -> None:
        waiting, self.result = self.result, None
        if waiting is None or waiting.done():  # its time was up
            self.close()
        elif self.parts:
            waiting.set_result(self.parts[0])
        else:
            waiting.set_exception(errors.OperationalError(LOST))

    def _fail(self, error: errors.Error) -> None:
        waiting, self.result = self.result, None
        if waiting and not waiting.done():
            waiting.set_exception(error)
        else:
            self.close()

    def close(self) -> None:
        """Its place among the lines is free for another."""
        if not self.is_closed:  # psycopg's own `closed` is also true of one that broke
            self.is_closed = True
            self.loop.remove_reader(self.file)
            self.opened.close()
            self.lines.forget(self)


class Lines:
    """At most so many connections of this process. They are opened by threads, when they are first needed."""

    def __init__(self, most: int) -> None:
        self.most, self.number, self.opens_at = most, 0, 0.0
        self.idle: list[Line] = []

    def free(self) -> Line | None:
        """One that can run a statement now. None if there is none."""
        while self.idle:
            if not self.idle[-1].is_ended():
                return self.idle[-1]
            self.idle[-1].close()
        loop = asyncio.get_running_loop()
        if self.number < self.most and loop.time() >= self.opens_at:
            self.number += 1
            loop.run_in_executor(None, _connected).add_done_callback(self._add)
        return None

    def forget(self, line: Line) -> None:
        self.number -= 1
        if line in self.idle:
            self.idle.remove(line)

    def _add(self, opening: "asyncio.Future[BaseDatabaseWrapper]") -> None:
        try:
            self.idle.append(Line(self, opening.result()))
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
