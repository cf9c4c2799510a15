"""Django is synchronous, and the web server calls us on an event loop. This has Django answer in threads.

A request gets a thread only when all of its body is here, so a client that sends slowly, or not at all, costs a few kB
of memory and no thread. A request that can't be answered in time gets 503, even if all threads wait for a database
that hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache, partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar
from wsgiref.types import WSGIApplication

import structlog
from django.conf import settings

from config.web.exchange import Scope
from config.web.front import Front
from config.web.limits import Refusal
from config.web.request import NAMES_REMEMBERED, PART_BYTES, Answer, Parts, Request

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Respond = Callable[[dict[str, Any]], Answer]
T = TypeVar("T")

BODIES_LIMIT_BYTES = 256 << 20  # the limit for all bodies together that a process holds at once
SMALL_BODY_BYTES = 64 << 10  # a body up to this size is taken even beyond that limit
WAITING_LIMIT = 1000  # so many requests at most wait for a thread
BODY_SECONDS = 60
LOGGED = {408, 413, 503}  # refusals that operators may have to do something about
HEALTH_PATH = "/healthz"
TOO_LATE = "Tollgate couldn't answer in time."

log = structlog.get_logger()


class Bridge:
    """An ASGI application that has a WSGI application answer in so many threads, within so many seconds.

    `front` is asked first, in the same thread. What it doesn't answer (None) is the WSGI application's.
    """

    def __init__(
        self,
        wsgi: WSGIApplication,
        *,
        threads: int,
        seconds: float,
        front: Front | None = None,
    ) -> None:
        self.front = front
        self.respond: Respond = lambda environ: (front and front(environ)) or _call(wsgi, environ)
        self.seconds = seconds
        self.pool = Pool(threads, "request")
        self.health = Pool(1, "health")  # a pool that is full can't keep the probe waiting
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            answer = await self._answer(request, receive)
        except Refusal as refusal:
            answer = request.refused(refusal)
            if refusal.status in LOGGED:
                log.warning("refused", status=refusal.status, problem=refusal.code, request_id=request.id)
        headers = [(_name(name), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.rest is None:
            await send({"type": "http.response.body", "body": answer.body})
        else:
            await self._send_parts(answer.body, answer.rest, send)

    async def _send_parts(self, part: bytes, rest: Parts, send: Send) -> None:
        """Reads a part when the client has taken the one before, so a slow client costs one part and no thread.

        If a part isn't there in time, the connection ends: the client sees that the answer is too short.
        """
        more = True
        try:
            await send({"type": "http.response.body", "body": part, "more_body": more})
            while more:
                part = await self._in_thread(self.pool, Job(rest.read), self._until())
                more = len(part) >= PART_BYTES
                await send({"type": "http.response.body", "body": part, "more_body": more})
        finally:
            if more:
                self.pool.add(Job(rest.close))

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        request.check_head()
        if not request.has_body:
            return await self._run(request, b"")
        body = Body()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self._read(request, receive, body)
            return await self._run(request, body.take())
        except TimeoutError:
            raise Refusal(408, "request_timeout", f"The body didn't arrive in {BODY_SECONDS} seconds.") from None
        finally:
            self.held_bytes -= body.size

    async def _read(self, request: Request, receive: Receive, body: "Body") -> None:
        """Reads the whole body, within the largest limit of any route. Django knows the limit of each."""
        limit, more = settings.USAGE_BODY_LIMIT_BYTES, True
        while more and max(request.content_length, body.size) <= limit:
            part, more = await _receive(receive)
            body.add(part)
            self.held_bytes += len(part)
            if self.held_bytes > BODIES_LIMIT_BYTES and body.size > SMALL_BODY_BYTES:
                raise _unavailable("Too many large requests come in at once.")
        if more:
            raise Refusal(413, "request_too_large", f"The body is larger than {limit:,} bytes.")

    async def _run(self, request: Request, body: bytes) -> Answer:
        """A request that still waits for a thread when its time is up is dropped.

        One that a thread works on goes on and may yet commit. As after any 503, the caller has to ask again.
        """
        until = self._until()
        environ = request.environ(body)
        if answer := await self._at_once(environ, until):
            return answer
        pool = self.health if request.path == HEALTH_PATH else self.pool
        job = Job(partial(self.respond, environ))
        del body, environ  # the job alone holds it now
        return await self._in_thread(pool, job, until)

    async def _in_thread(self, pool: "Pool", job: "Job[T]", until: float) -> T:
        pool.submit(job)
        timer = job.loop.call_at(until, job.give_up)
        try:
            return await job.outcome
        finally:
            timer.cancel()
            job.drop()

    def _until(self) -> float:
        """The time of the event loop's clock by which what begins now has to be done."""
        return asyncio.get_running_loop().time() + self.seconds

    async def _at_once(self, environ: dict[str, Any], until: float) -> Answer | None:
        try:
            return await self.front.at_once(environ, until) if self.front else None
        except TimeoutError:
            raise _unavailable(TOO_LATE) from None


class Body:
    """A body as it comes in. Its size remains known when it has been taken."""

    def __init__(self) -> None:
        self.received, self.size = bytearray(), 0

    def add(self, part: bytes) -> None:
        self.received += part
        self.size += len(part)

    def take(self) -> bytes:
        whole = bytes(self.received)
        self.received.clear()
        return whole


class Job(Generic[T]):
    """Work for a thread. The queue of the threads keeps the job until its turn, even when it is dropped.

    `outcome` is there for the event loop that made the job: threads hand it over, which costs less than a Future of
    `concurrent.futures` and a wait for that.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.work: Callable[[], T] | None = work
        self.loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[T] = self.loop.create_future()

    def drop(self) -> None:
        self.work = None

    def give_up(self) -> None:
        self._settle(_unavailable(TOO_LATE))

    def run(self) -> None:
        work, self.work = self.work, None
        if work is None:  # it was dropped while it waited
            return
        try:
            outcome: T | BaseException = work()
        except BaseException as error:
            outcome = error
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: T | BaseException) -> None:
        if self.outcome.done():  # nobody waits any more
            return
        if isinstance(outcome, BaseException):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class Pool:
    """Threads, and a queue of limited length before them. They start with the first job: the worker is forked by then.

    A thread that still works when the process ends is cut off, and the database undoes what it hasn't committed.
    """

    def __init__(self, threads: int, name: str) -> None:
        self.names = [f"{name} {number}" for number in range(threads)]
        self.jobs: SimpleQueue[Job[Any]] = SimpleQueue()
        self.started = False

    def submit(self, job: Job[Any]) -> None:
        """Called on the event loop alone."""
        if self.jobs.qsize() >= WAITING_LIMIT:
            raise _unavailable("Too many requests wait for an answer.")
        self.add(job)

    def add(self, job: Job[Any]) -> None:
        """The same for a job that has to be done, however many wait."""
        if not self.started:
            self.started = True
            for name in self.names:  # made here as well: Python 3.13 starts no thread that was made before the fork
                Thread(target=self._work, name=name, daemon=True).start()
        self.jobs.put(job)

    def _work(self) -> None:
        while True:
            self.jobs.get().run()


@lru_cache(NAMES_REMEMBERED)
def _name(header: str) -> bytes:
    return header.lower().encode("latin-1")


def _unavailable(reason: str) -> Refusal:
    return Refusal(503, "unavailable", f"{reason} Try again in some seconds.")


async def _receive(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more."""
    message = await receive()
    if message["type"] == "http.disconnect":  # it ended early, or its chunks are malformed
        raise Refusal(400, "bad_request", "The body can't be read: it is cut off, or its chunks are malformed.")
    return message.get("body", b""), message.get("more_body", False)


def _call(wsgi: WSGIApplication, environ: dict[str, Any]) -> Answer:
    heads: list[tuple[str, list[tuple[str, str]]]] = []
    start: Any = lambda status, headers, error=None: heads.append((status, headers))  # noqa: E731
    try:
        parts = Parts(wsgi(environ, start))
    except (ValueError, LookupError):  # of making the request: what fails later is answered by Django
        raise Refusal(400, "bad_request", "The Content-Type can't be understood.") from None
    body = parts.read()
    status, headers = heads[-1]
    return Answer(int(status[:3]), headers, body, None if len(body) < PART_BYTES else parts)
